import type { Clock } from './clock.js';
import { asBbdError } from './errors.js';
import { STORES_UNAVAILABLE } from './stores/stores.js';

/** How long a service that restarts is waited for. */
export const DEFAULT_PATIENCE_MS = 60_000;
/** How long a run that got far waits for a service in whose place a new pod may have to be scheduled. */
export const RUN_PATIENCE_MS = 600_000;
const FIRST_WAIT_MS = 100;
const MAX_WAIT_MS = 2_000;
/** Nobody answers, or the stores behind who answers are away; other codes say something about the work itself. */
const PASSING_CODES = ['UNAVAILABLE', STORES_UNAVAILABLE];

export interface PatienceOptions {
  clock: Clock;
  signal?: AbortSignal;
  /** Default {@link DEFAULT_PATIENCE_MS}. */
  patienceMs?: number;
  /** Repeats also what was not answered before its deadline. Default false: it may take as long again. */
  afterDeadline?: boolean;
}

/**
 * Repeats a call that may be carried out twice without harm while nobody answers it.
 * @throws BbdError of the last attempt, once the patience is over; CancelledError when the signal aborts
 */
export async function patiently<T>(call: () => Promise<T>, options: PatienceOptions): Promise<T> {
  const { clock, signal, patienceMs = DEFAULT_PATIENCE_MS, afterDeadline = false } = options;
  const giveUpAtMs = clock.monotonicMs() + patienceMs;
  for (let waitMs = FIRST_WAIT_MS; ; waitMs = Math.min(2 * waitMs, MAX_WAIT_MS)) {
    try {
      return await call();
    } catch (thrown) {
      const { kind, code, retryable } = asBbdError(thrown);
      const mayPass = (retryable && PASSING_CODES.includes(code)) || (afterDeadline && kind === 'deadline-exceeded');
      if (!mayPass || clock.monotonicMs() + waitMs > giveUpAtMs) throw thrown;
    }
    await clock.sleep(waitMs, signal);
  }
}
