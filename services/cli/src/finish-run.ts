import { join } from 'node:path';
import { asBbdError } from '@bbdistill/common';
import { reportTable } from '@bbdistill/orchestrator';
import type { Report } from '@bbdistill/orchestrator';
import type { CommandContext, GlobalOptions } from './context.js';
import { downloadInto } from './download.js';
import { exitCodeOfRun } from './exit-codes.js';
import { followRun } from './follow.js';
import { progressView } from './progress-view.js';
import { DEFAULT_STATE_FOLDER } from './session.js';
import type { Session } from './session.js';

export interface FinishOptions {
  session: Session;
  runId: string;
  out: string;
  context: CommandContext;
  options: GlobalOptions;
  fromSequence?: number;
}

/**
 * Follows a run to its end, writes its files, prints the table and says what to do where it ended early.
 * @returns the report, where there is one
 */
export async function finishRun(finish: FinishOptions): Promise<Report | undefined> {
  const { session, runId, out, context, options } = finish;
  const { output, interrupt } = context;
  if (!(await session.rememberOutput(runId, out))) {
    output.stderr(`where its results go can't be kept in ${options.state}: to resume the run, say --out ${out} again`);
  }
  const onInterrupt = () =>
    output.stderr('stopping: nothing more is asked, calls under way are waited for; Ctrl-C again to leave at once');
  if (interrupt.aborted) onInterrupt();
  else interrupt.addEventListener('abort', onInterrupt, { once: true });
  const run = await followRun(session.orchestrator, runId, progressView(output, options.json ?? false), {
    cancelOn: interrupt,
    onDeaf: (error) => {
      const again = `bbdistill cancel ${runId}${stateFlag(options)}`;
      output.stderr(
        `the run could not be told to stop, and goes on and may spend: ${asBbdError(error).message}; again: ${again}`,
      );
    },
    // Ctrl-C cancels the run; the end of the run ends the watching.
    signal: new AbortController().signal,
    ...(finish.fromSequence !== undefined && { fromSequence: finish.fromSequence }),
  });
  interrupt.removeEventListener('abort', onInterrupt);
  context.setExitCode(exitCodeOfRun(run.state, run.failure?.code));
  if (run.state !== 'RUN_STATE_SUCCEEDED') {
    if (run.failure) output.stderr(`the run ended early: ${run.failure.code}: ${run.failure.message}`);
    else output.stderr('the run was cancelled: nothing more is spent');
    output.stderr(`everything paid for is kept; to go on: bbdistill resume ${runId}${stateFlag(options)}`);
    if (run.state === 'RUN_STATE_BUDGET_EXHAUSTED') {
      output.stderr(
        'give it more with --budget-images or --budget-money; or start it anew with fewer synthetic images',
      );
      output.stderr('(--run.synthesis.images): what is answered already costs nothing there');
    }
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
    output.stdout(`report: ${join(out, 'report.html')}`);
    output.stdout(`student: ${join(out, 'student')}`);
  }
  return report;
}

/** Says which other runs an earlier process left in the middle: nothing goes on with them by itself. */
export function noteInterruptedRuns(session: Session, context: CommandContext, options: GlobalOptions, but = ''): void {
  for (const runId of session.interruptedRuns) {
    if (runId === but) continue;
    context.output.stderr(`run ${runId} was interrupted earlier: bbdistill resume ${runId}${stateFlag(options)}`);
  }
}

const WAY_FLAGS = [
  ['orchestrator', '--orchestrator'],
  ['tokenEnv', '--token-env'],
  ['tokenFile', '--token-file'],
  ['caFile', '--ca-file'],
  ['certFile', '--cert-file'],
  ['keyFile', '--key-file'],
  ['serverName', '--server-name'],
] as const;

/** What a command that is named to the user needs, so that it finds the same run; secrets stay where they are. */
export function stateFlag(options: GlobalOptions): string {
  const flags = WAY_FLAGS.flatMap(([name, flag]) => (options[name] === undefined ? [] : [flag, quoted(options[name])]));
  if (options.tls) flags.push('--tls');
  // With a remote orchestrator it still has the notes of where results go.
  if (options.state !== DEFAULT_STATE_FOLDER) flags.push('--state', quoted(options.state));
  return flags.map((flag) => ` ${flag}`).join('');
}

/** For a shell. */
function quoted(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}
