import { Command } from 'commander';
import { addGlobalOptions, withSession } from '../context.js';
import type { CommandContext, GlobalOptions } from '../context.js';
import { stateWords } from '../run-state.js';

export function runsCommand(context: CommandContext): Command {
  const command = new Command('runs').description('list the runs, newest first');
  return addGlobalOptions(command).action(async (options: GlobalOptions) => {
    await withSession(options, {}, async ({ orchestrator }) => {
      const { runs } = await orchestrator.unary('ListRuns', {}, { signal: context.interrupt });
      if (options.json) return context.output.stdout(JSON.stringify(runs));
      if (runs.length === 0) return context.output.stdout('there are no runs yet');
      for (const run of runs) {
        const started = new Date(run.createdAtMs).toISOString().slice(0, 16).replace('T', ' ');
        const why = run.failure ? `  ${run.failure.message}` : '';
        context.output.stdout(
          `${run.id}  ${started}  ${stateWords(run.state).padEnd(16)}  ${run.spec?.name ?? ''}${why}`,
        );
      }
    });
  });
}
