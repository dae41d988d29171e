import { join } from 'node:path';
import { asBbdError } from '@bbdistill/common';
import type { Run__Output } from '@bbdistill/common/gen/bbdistill/v1/Run.js';
import { reportTable } from '@bbdistill/orchestrator';
import type { Report } from '@bbdistill/orchestrator';
import type { CommandContext, GlobalOptions } from './context.js';
import { downloadInto } from './download.js';
import { earlyEndLines, imagesToTheEnd } from './early-end.js';
import { exitCodeOfRun } from './exit-codes.js';
import { followRun } from './follow.js';
import { progressView } from './progress-view.js';
import type { Session } from './session.js';
import { stateFlag } from './state-flag.js';

export interface FinishOptions {
  session: Session;
  runId: string;
  out: string;
  context: CommandContext;
  options: GlobalOptions;
  fromSequence?: number;
  /** How to go on where it ended early, in words; default: by `resume`. */
  goOn?: string | undefined;
}

/**
 * Follows a run to its end, writes its files, prints the table and says what to do where it ended early.
 * @returns the report, where there is one
 */
export async function finishRun(finish: FinishOptions): Promise<Report | undefined> {
  const { session, runId, out, context, options } = finish;
  const { output } = context;
  if (!(await session.rememberOutput(runId, out))) {
    output.stderr(`where its results go can't be kept in ${options.state}: to resume the run, say --out ${out} again`);
  }
  const run = await follow(finish);
  context.setExitCode(exitCodeOfRun(run.state, run.failure?.code));
  if (run.state !== 'RUN_STATE_SUCCEEDED') {
    const enoughImages = await imagesToTheEnd(run, session.orchestrator, context.interrupt);
    const hints = { goOn: finish.goOn, enoughImages };
    for (const line of earlyEndLines(run, options, hints)) output.stderr(line);
    return undefined;
  }
  try {
    await downloadInto(session.orchestrator, run, out, new AbortController().signal);
  } catch (error) {
    const again = `bbdistill report ${runId} --out DIR${stateFlag(options)}`;
    output.stderr(`the run succeeded and its files are kept; to write them: ${again}`);
    throw error;
  }
  const report = JSON.parse(run.reportJson) as Report;
  for (const note of report.notes ?? []) output.stderr(note);
  if (options.json) output.stdout(JSON.stringify({ report }));
  else {
    output.stdout(reportTable(report));
    for (const line of resultLines(out)) output.stdout(line);
  }
  return report;
}

/** Where to look for what a run made. */
export function resultLines(out: string): string[] {
  return [`report: ${join(out, 'report.html')}`, `student: ${join(out, 'student')}`];
}

/** Shows a run until it ends, and what comes of Ctrl-C meanwhile. */
async function follow({ session, runId, context, options, fromSequence }: FinishOptions): Promise<Run__Output> {
  const { output, interrupt } = context;
  const view = progressView(output, options.json ?? false);
  const onInterrupt = () =>
    view.say('stopping: nothing more is asked, calls under way are waited for; Ctrl-C again to leave at once');
  if (interrupt.aborted) onInterrupt();
  else interrupt.addEventListener('abort', onInterrupt, { once: true });
  const run = await followRun(session.orchestrator, runId, view, {
    cancelOn: interrupt,
    onDeaf: (error) => {
      const again = `bbdistill cancel ${runId}${stateFlag(options)}`;
      view.say(
        `the run could not be told to stop, and goes on and may spend: ${asBbdError(error).message}; again: ${again}`,
      );
    },
    // Ctrl-C cancels the run; the end of the run ends the watching.
    signal: new AbortController().signal,
    ...(fromSequence !== undefined && { fromSequence }),
  });
  interrupt.removeEventListener('abort', onInterrupt);
  return run;
}

/** Says which other runs an earlier process left in the middle: nothing goes on with them by itself. */
export function noteInterruptedRuns(session: Session, context: CommandContext, options: GlobalOptions, but = ''): void {
  for (const runId of session.interruptedRuns) {
    if (runId === but) continue;
    context.output.stderr(`run ${runId} was interrupted earlier: bbdistill resume ${runId}${stateFlag(options)}`);
  }
}
