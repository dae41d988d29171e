import { UnavailableError, systemClock } from '@bbdistill/common';
import type { Run__Output } from '@bbdistill/common/gen/bbdistill/v1/Run.js';
import type { ProgressView } from './progress-view.js';
import type { Orchestrator } from './session.js';

const RECONNECT_DELAY_MS = 1_000;
const ENDED = new Set(['RUN_STATE_SUCCEEDED', 'RUN_STATE_FAILED', 'RUN_STATE_CANCELLED', 'RUN_STATE_BUDGET_EXHAUSTED']);

export function isOver(run: Run__Output): boolean {
  return ENDED.has(run.state);
}

/** Number of the last event so far, so that a resumed run shows only what is new. */
export async function lastSequence(orchestrator: Orchestrator, runId: string): Promise<number> {
  let last = 0;
  for await (const event of orchestrator.serverStream('WatchRun', { runId })) last = event.sequence;
  return last;
}

/**
 * Shows a run until it ends. The first Ctrl-C cancels it, which stops spending at once; the signal's abort only stops
 * looking.
 */
export async function followRun(
  orchestrator: Orchestrator,
  runId: string,
  view: ProgressView,
  options: { fromSequence?: number; cancelOn?: AbortSignal; signal: AbortSignal },
): Promise<Run__Output> {
  let next = options.fromSequence ?? 1;
  const cancel = () => void orchestrator.unary('CancelRun', { runId }).catch(() => undefined);
  options.cancelOn?.addEventListener('abort', cancel, { once: true });
  if (options.cancelOn?.aborted) cancel();
  try {
    for (;;) {
      try {
        for await (const event of orchestrator.serverStream(
          'WatchRun',
          { runId, fromSequence: next },
          { signal: options.signal },
        )) {
          next = event.sequence + 1;
          view.event(event);
        }
        const run = await orchestrator.unary('GetRun', { runId });
        if (isOver(run)) return run;
      } catch (error) {
        if (!(error instanceof UnavailableError)) throw error;
      }
      await systemClock.sleep(RECONNECT_DELAY_MS, options.signal);
    }
  } finally {
    options.cancelOn?.removeEventListener('abort', cancel);
    view.end();
  }
}
