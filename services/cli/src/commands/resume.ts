import { Command } from 'commander';
import { addGlobalOptions, withSession } from '../context.js';
import type { CommandContext, GlobalOptions } from '../context.js';
import { prepareOutputFolder } from '../download.js';
import { finishRun, noteInterruptedRuns } from '../finish-run.js';
import { isOver, lastSequence } from '../follow.js';
import { moneyOption, naturalOption } from '../options.js';
import { DEFAULT_OUTPUT_FOLDER } from '../run-file.js';

interface ResumeOptions extends GlobalOptions {
  out?: string;
  budgetImages?: number;
  budgetMoney?: number;
  reask?: boolean;
}

export function resumeCommand(context: CommandContext): Command {
  const command = new Command('resume')
    .description('go on with a run that was interrupted, cancelled, failed or out of budget')
    .argument('<run>', 'id of the run')
    .option('--out <dir>', 'folder of the results; default: where the run was told to write')
    .option('--budget-images <n>', 'new ceiling of images that may be billed', naturalOption)
    .option('--budget-money <amount>', 'new ceiling of money', moneyOption)
    .option('--reask', 'ask and pay again where the answers that are kept are of no use: after the teacher was mended');
  return addGlobalOptions(command).action(async (runId: string, options: ResumeOptions) => {
    const { output } = context;
    await withSession(options, {}, async (session) => {
      noteInterruptedRuns(session, context, options, runId);
      const before = await session.orchestrator.unary('GetRun', { runId });
      const out = options.out ?? (await session.outputOf(runId)) ?? DEFAULT_OUTPUT_FOLDER;
      await prepareOutputFolder(out);
      const seen = isOver(before) ? await lastSequence(session.orchestrator, runId) : 0;
      const budget = budgetOf(options);
      await session.orchestrator.unary('ResumeRun', {
        runId,
        reask: options.reask ?? false,
        ...(budget && { budget }),
      });
      output.stderr(`run ${runId} goes on`);
      await finishRun({ session, runId, out, context, options, fromSequence: seen + 1 });
    });
  });
}

function budgetOf({ budgetImages, budgetMoney }: ResumeOptions) {
  if (budgetImages === undefined && budgetMoney === undefined) return undefined;
  return {
    ...(budgetImages !== undefined && { images: budgetImages }),
    ...(budgetMoney !== undefined && { moneyMicros: Math.round(budgetMoney * 1e6) }),
  };
}
