import { FailedPreconditionError } from '@bbdistill/common';
import { reportTable } from '@bbdistill/orchestrator';
import type { Report } from '@bbdistill/orchestrator';
import { Command } from 'commander';
import { addGlobalOptions, withSession } from '../context.js';
import type { CommandContext, GlobalOptions } from '../context.js';
import { downloadInto, withOutputFolder } from '../download.js';
import { resultLines } from '../finish-run.js';
import { stateWords } from '../run-state.js';

interface ReportOptions extends GlobalOptions {
  out?: string;
}

export function reportCommand(context: CommandContext): Command {
  const command = new Command('report')
    .description('print the result of a finished run; with --out, write all of its files again')
    .argument('<run>', 'id of the run')
    .option('--out <dir>', 'folder to write to');
  return addGlobalOptions(command).action(async (runId: string, options: ReportOptions) => {
    await withSession(options, {}, async ({ orchestrator }) => {
      const run = await orchestrator.unary('GetRun', { runId });
      if (run.reportJson === '') {
        throw new FailedPreconditionError(
          `run ${runId} has no report yet: its state is ${stateWords(run.state)}; watch it, or resume it if it ended early`,
        );
      }
      const { out, json } = options;
      if (out !== undefined) {
        await withOutputFolder(out, () => downloadInto(orchestrator, run, out, context.interrupt));
      }
      const { output } = context;
      output.stdout(json ? run.reportJson : reportTable(JSON.parse(run.reportJson) as Report));
      if (out !== undefined && !json) for (const line of resultLines(out)) output.stdout(line);
    });
  });
}
