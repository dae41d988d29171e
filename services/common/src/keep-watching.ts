import type { Clock } from './clock.js';
import { asBbdError } from './errors.js';
import type { BbdError } from './errors.js';

/** Pause before a watch that broke off is opened anew. */
export const WATCH_AGAIN_MS = 1_000;

export interface KeptWatch<Change> {
  /**
   * Begins with how things are now, so that what changed while nobody watched shows after all.
   * @param isAgain an earlier watch broke off
   */
  open: (isAgain: boolean) => AsyncIterable<Change>;
  onChange: (change: Change) => void;
  /** Told when the watching breaks off, not of each attempt in vain to take it up again. */
  onFailure: (error: BbdError) => void;
  clock: Clock;
  /** Ends the watching; what is opened must end with it as well. */
  signal: AbortSignal;
}

/**
 * Watches until the signal aborts and never rejects: a watch that fails or ends by itself, as with stores that are away,
 * is opened anew. Work that goes on without its watch would be deaf to a cancel.
 */
export async function keepWatching<Change>(watch: KeptWatch<Change>): Promise<void> {
  const { open, onChange, onFailure, clock, signal } = watch;
  let isTold = false;
  for (let isAgain = false; !signal.aborted; isAgain = true) {
    try {
      for await (const change of open(isAgain)) {
        isTold = false;
        onChange(change);
      }
    } catch (error) {
      if (!signal.aborted && !isTold) onFailure(asBbdError(error));
      isTold = true;
    }
    await clock.sleep(WATCH_AGAIN_MS, signal).catch(() => undefined);
  }
}
