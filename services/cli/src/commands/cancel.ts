import { Command } from 'commander';
import { addGlobalOptions, withSession } from '../context.js';
import type { CommandContext, GlobalOptions } from '../context.js';
import { cancelRun, isOver } from '../follow.js';
import { stateWords } from '../run-state.js';
import { stateFlag } from '../state-flag.js';

export function cancelCommand(context: CommandContext): Command {
  const command = new Command('cancel')
    .description('have a run stop: nothing more is asked, what was answered is kept')
    .argument('<run>', 'id of the run');
  return addGlobalOptions(command).action(async (runId: string, options: GlobalOptions) => {
    await withSession(options, {}, async ({ orchestrator }) => {
      const { state } = await cancelRun(orchestrator, runId);
      const end = `; its end: bbdistill watch ${runId}${stateFlag(options)}`;
      if (options.json) context.output.stdout(JSON.stringify({ runId, state }));
      else if (isOver({ state })) context.output.stdout(`run ${runId} is over: ${stateWords(state)}`);
      else context.output.stdout(`run ${runId} is told to stop${end}`);
    });
  });
}
