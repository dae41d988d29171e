import { Command } from 'commander';
import type { CommandContext } from '../context.js';
import { readRunFile } from '../run-file.js';

export function checkConfigCommand(context: CommandContext): Command {
  return new Command('check-config')
    .description('check a settings file and print it with every default filled in; starts nothing')
    .argument('<file>', 'YAML file with the settings')
    .action(async (file: string) => {
      const { run, teachers } = await readRunFile(file, context.overrides);
      context.output.stdout(JSON.stringify({ run, teachers }, undefined, 2));
    });
}
