import { ConfigError } from '@bbdistill/common';
import type { Budget__Output } from '@bbdistill/common/gen/bbdistill/v1/Budget.js';
import type { TeacherConfig } from '@bbdistill/teacher-proxy';
import { Command } from 'commander';
import { addGlobalOptions, takesSettings, withSession } from '../context.js';
import type { CommandContext, GlobalOptions } from '../context.js';
import { withOutputFolder } from '../download.js';
import { finishRun, noteInterruptedRuns } from '../finish-run.js';
import { isOver, lastSequence } from '../follow.js';
import { moneyOption, naturalOption } from '../options.js';
import { DEFAULT_OUTPUT_FOLDER, readSettings } from '../run-file.js';
import type { RunSettings } from '../run-file.js';
import { gpuWishOf } from '../session.js';

interface ResumeOptions extends GlobalOptions {
  out?: string;
  budgetImages?: number;
  budgetMoney?: number;
  reask?: boolean;
}

export function resumeCommand(context: CommandContext): Command {
  const command = takesSettings(new Command('resume'))
    .description('go on with a run that was interrupted, cancelled, failed or out of budget')
    .argument('<run>', 'id of the run')
    .argument('[file]', "YAML file whose teachers' settings count from here on: one of a run, or of teachers")
    .option('--out <dir>', 'folder of the results; default: where the run was told to write')
    .option('--budget-images <n>', 'new ceiling of images that may be billed', naturalOption)
    .option('--budget-money <amount>', 'new ceiling of money', moneyOption)
    .option('--reask', 'ask and pay again where the answers that are kept are of no use: after the teacher was mended');
  return addGlobalOptions(command).action(async (runId: string, file: string | undefined, options: ResumeOptions) => {
    const { output, interrupt: signal } = context;
    const { budget: budgetInFile, ...fromFile } = await setupOf(file, context);
    const setup = { ...(await beginningOf(runId, options)), ...fromFile };
    await withSession(options, setup, async (session) => {
      noteInterruptedRuns(session, context, options, runId);
      const before = await session.orchestrator.unary('GetRun', { runId }, { signal });
      for (const line of budgetNotes(budgetInFile, before.spec?.budget, options)) output.stderr(line);
      const out = options.out ?? (await session.outputOf(runId)) ?? DEFAULT_OUTPUT_FOLDER;
      const seen = isOver(before) ? await lastSequence(session.orchestrator, runId, signal) : 0;
      const budget = budgetOf(options);
      await withOutputFolder(out, () => {
        // From here on the run spends: whoever wanted to leave before that has nothing to cancel.
        signal.throwIfAborted();
        const request = { runId, reask: options.reask ?? false, ...(budget && { budget }) };
        return session.orchestrator.unary('ResumeRun', request);
      });
      output.stderr(`run ${runId} goes on`);
      await finishRun({ session, runId, out, context, options, fromSequence: seen + 1 });
    });
  });
}

interface FromFile {
  teachers?: readonly TeacherConfig[];
  engine?: RunSettings['engine'];
  gpu?: RunSettings['gpu'];
  budget?: RunSettings['budget'];
}

/** What the services of this process were told when the run began; others have settings of their own. */
async function beginningOf(runId: string, { orchestrator, state }: ResumeOptions) {
  const gpu = orchestrator === undefined ? await gpuWishOf(state, runId) : undefined;
  return gpu && { gpu };
}

/** The run itself stays as it was created: only who is asked, and by what, can be mended. */
async function setupOf(file: string | undefined, { overrides }: CommandContext): Promise<FromFile> {
  if (file === undefined && overrides.length === 0) return {};
  const [setting] = overrides.find(([path]) => !path.startsWith('teachers.')) ?? [];
  if (setting !== undefined) {
    throw new ConfigError(
      `--${setting} has no place in resume: a run goes on as it was created, only --budget-images, --budget-money and its ` +
        'teacher can be changed',
    );
  }
  if (file === undefined) {
    throw new ConfigError(`--${overrides[0]![0]} needs the file that describes the teacher: bbdistill resume RUN FILE`);
  }
  const { run, teachers } = await readSettings(file, overrides);
  return { teachers, ...(run && { engine: run.engine, gpu: run.gpu, budget: run.budget }) };
}

/** Whoever raised a ceiling in the file would otherwise wonder why the run ends at the old one again. */
function budgetNotes(
  inFile: RunSettings['budget'] = {},
  ofRun: Budget__Output | null | undefined,
  { budgetImages, budgetMoney }: ResumeOptions,
): string[] {
  const note = (setting: string, flag: string, value: number, now: number | undefined) =>
    `the file's run.budget.${setting}, ${value}, is not taken: the run keeps ${now ?? 'no ceiling'}; to change it: ${flag} ${value}`;
  const { images, money } = inFile;
  const moneyNow = ofRun?.moneyMicros === undefined ? undefined : ofRun.moneyMicros / 1e6;
  return [
    ...(images === undefined || images === ofRun?.images || budgetImages !== undefined
      ? []
      : [note('images', '--budget-images', images, ofRun?.images)]),
    ...(money === undefined || money === moneyNow || budgetMoney !== undefined
      ? []
      : [note('money', '--budget-money', money, moneyNow)]),
  ];
}

function budgetOf({ budgetImages, budgetMoney }: ResumeOptions) {
  if (budgetImages === undefined && budgetMoney === undefined) return undefined;
  return {
    ...(budgetImages !== undefined && { images: budgetImages }),
    ...(budgetMoney !== undefined && { moneyMicros: Math.round(budgetMoney * 1e6) }),
  };
}
