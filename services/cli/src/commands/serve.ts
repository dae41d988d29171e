import { Command } from 'commander';
import type { CommandContext } from '../context.js';

export function serveCommand(_context: CommandContext): Command {
  return new Command('serve');
}
