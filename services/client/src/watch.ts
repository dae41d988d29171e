import { UnavailableError, systemClock } from '@bbdistill/common';
import type { Clock } from '@bbdistill/common';
import type { Run__Output } from '@bbdistill/common/gen/bbdistill/v1/Run.js';
import type { RunEvent__Output } from '@bbdistill/common/gen/bbdistill/v1/RunEvent.js';
import type { Orchestrator } from './orchestrator.js';

/** After a lost connection, or an orchestrator that is being replaced. */
export const RECONNECT_DELAY_MS = 1_000;
const ENDED = new Set(['RUN_STATE_SUCCEEDED', 'RUN_STATE_FAILED', 'RUN_STATE_CANCELLED', 'RUN_STATE_BUDGET_EXHAUSTED']);

export interface WatchOptions {
  /** Sequence of the first event wanted; default 1, the first there is. */
  fromSequence?: number;
  /** Ends the watching, not the run. */
  signal?: AbortSignal;
  clock?: Clock;
}

export function isOver(run: Pick<Run__Output, 'state'>): boolean {
  return ENDED.has(run.state);
}

/**
 * The events of a run until it is over, each exactly once and in order: goes on by itself, where it left off, after lost
 * connections and restarts of the orchestrator.
 * @throws NotFoundError where there is no such run; CancelledError when the signal aborts
 */
export async function* watchRun(
  orchestrator: Orchestrator,
  runId: string,
  { fromSequence = 1, signal, clock = systemClock }: WatchOptions = {},
): AsyncGenerator<RunEvent__Output, Run__Output, undefined> {
  const options = signal ? { signal } : {};
  let next = fromSequence;
  for (;;) {
    try {
      for await (const event of orchestrator.serverStream('WatchRun', { runId, fromSequence: next }, options)) {
        next = event.sequence + 1;
        yield event;
      }
      const run = await orchestrator.unary('GetRun', { runId }, options);
      if (isOver(run)) return run;
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
    }
    await clock.sleep(RECONNECT_DELAY_MS, signal);
  }
}

/** Watches to the end. @returns the run as it ended */
export async function followRun(
  orchestrator: Orchestrator,
  runId: string,
  options: WatchOptions = {},
  onEvent: (event: RunEvent__Output) => void = () => undefined,
): Promise<Run__Output> {
  const events = watchRun(orchestrator, runId, options);
  for (;;) {
    const next = await events.next();
    if (next.done) return next.value;
    onEvent(next.value);
  }
}
