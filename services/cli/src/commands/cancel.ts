import { Command } from 'commander';
import { addGlobalOptions, withSession } from '../context.js';
import type { CommandContext, GlobalOptions } from '../context.js';
import { cancelRun } from '../follow.js';
import { stateFlag } from '../state-flag.js';

export function cancelCommand(context: CommandContext): Command {
  const command = new Command('cancel')
    .description('have a run stop: nothing more is asked, what was answered is kept')
    .argument('<run>', 'id of the run');
  return addGlobalOptions(command).action(async (runId: string, options: GlobalOptions) => {
    await withSession(options, {}, async ({ orchestrator }) => {
      await cancelRun(orchestrator, runId);
      if (options.json) context.output.stdout(JSON.stringify({ runId }));
      else
        context.output.stdout(`run ${runId} is told to stop; its end: bbdistill watch ${runId}${stateFlag(options)}`);
    });
  });
}
