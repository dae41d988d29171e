import { followRun as followToTheEnd } from '@bbdistill/client';
import { patiently, systemClock } from '@bbdistill/common';
import type { Run__Output } from '@bbdistill/common/gen/bbdistill/v1/Run.js';
import type { ProgressView } from './progress-view.js';
import type { Orchestrator } from './session.js';

export { isOver } from '@bbdistill/client';

/** Number of the last event so far, so that a resumed run shows only what is new. */
export async function lastSequence(orchestrator: Orchestrator, runId: string, signal: AbortSignal): Promise<number> {
  let last = 0;
  for await (const event of orchestrator.serverStream('WatchRun', { runId }, { signal })) last = event.sequence;
  return last;
}

/**
 * Has a run stop: nothing more is asked, what is under way is waited for.
 * @returns the run; one that is over stays as it is
 * @throws BbdError where the orchestrator can't be told; the run goes on then
 */
export async function cancelRun(orchestrator: Orchestrator, runId: string): Promise<Run__Output> {
  // To cancel twice is to cancel once.
  return patiently(() => orchestrator.unary('CancelRun', { runId }), { clock: systemClock, afterDeadline: true });
}

interface FollowOptions {
  fromSequence?: number;
  cancelOn?: AbortSignal;
  /** Told where the run couldn't be cancelled: it goes on. */
  onDeaf?: (error: unknown) => void;
  signal: AbortSignal;
}

/**
 * Shows a run until it ends. The first Ctrl-C cancels it, which stops spending at once; the signal's abort only stops
 * looking.
 */
export async function followRun(
  orchestrator: Orchestrator,
  runId: string,
  view: ProgressView,
  options: FollowOptions,
): Promise<Run__Output> {
  const cancel = () => void cancelRun(orchestrator, runId).catch((error: unknown) => options.onDeaf?.(error));
  options.cancelOn?.addEventListener('abort', cancel, { once: true });
  if (options.cancelOn?.aborted) cancel();
  try {
    const { signal, fromSequence = 1 } = options;
    return await followToTheEnd(orchestrator, runId, { fromSequence, signal }, (event) => view.event(event));
  } finally {
    options.cancelOn?.removeEventListener('abort', cancel);
    view.end();
  }
}
