import { Command } from 'commander';
import { addGlobalOptions, withSession } from '../context.js';
import type { CommandContext, GlobalOptions } from '../context.js';
import { exitCodeOfRun } from '../exit-codes.js';
import { followRun } from '../follow.js';
import { progressView } from '../progress-view.js';

export function watchCommand(context: CommandContext): Command {
  const command = new Command('watch')
    .description('show a run until it ends; leaving does not stop it')
    .argument('<run>', 'id of the run');
  return addGlobalOptions(command).action(async (runId: string, options: GlobalOptions) => {
    await withSession(options, {}, async ({ orchestrator }) => {
      const view = progressView(context.output, options.json ?? false);
      const run = await followRun(orchestrator, runId, view, { signal: context.interrupt });
      context.setExitCode(exitCodeOfRun(run.state, run.failure?.code));
    });
  });
}
