import { CancelledError } from '@bbdistill/common';
import type { Clock } from '@bbdistill/common';
import type { Limits } from './registry.js';

const CANCELLED = 'cancelled while waiting for the limit of the teacher';

/** The right to make one call. */
export interface Permit {
  /** The call has ended; to be called exactly once. */
  release(): void;
}

/**
 * When a call may be made. One process's limiter now; the leases that replicas share come behind the same interface.
 */
export interface Limiter {
  /**
   * Waits for the turn of a call.
   * @throws CancelledError when the signal aborts first
   */
  acquire(images: number, signal: AbortSignal): Promise<Permit>;
  /** No call is made for this long: what the teacher asked for. */
  holdOff(durationMs: number): void;
}

/**
 * Spaces calls evenly instead of letting bursts through: holds against servers that count in sliding windows as well
 * as against token buckets.
 */
export class PacingLimiter implements Limiter {
  #inFlight = 0;
  #nextByImagesMs = -Infinity;
  #nextByCallsMs = -Infinity;
  #heldOffUntilMs = -Infinity;
  #turn: Promise<void> = Promise.resolve();
  readonly #queue: (() => void)[] = [];

  constructor(
    private readonly limits: Limits,
    private readonly clock: Clock,
  ) {}

  async acquire(images: number, signal: AbortSignal): Promise<Permit> {
    await this.#takePlace(signal);
    try {
      await this.#waitForTurn(images, signal);
    } catch (error) {
      this.#leavePlace();
      throw error;
    }
    let released = false;
    return {
      release: () => {
        if (released) return;
        released = true;
        this.#leavePlace();
      },
    };
  }

  holdOff(durationMs: number): void {
    this.#heldOffUntilMs = Math.max(this.#heldOffUntilMs, this.clock.monotonicMs() + durationMs);
  }

  async #takePlace(signal: AbortSignal): Promise<void> {
    if (signal.aborted) throw new CancelledError(CANCELLED);
    if (this.#inFlight < this.limits.concurrency) {
      this.#inFlight++;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const onAbort = () => {
        const at = this.#queue.indexOf(onTurn);
        if (at >= 0) this.#queue.splice(at, 1);
        reject(new CancelledError(CANCELLED));
      };
      // The place passes from one call to the next without being free in between: first come, first served.
      const onTurn = () => {
        signal.removeEventListener('abort', onAbort);
        resolve();
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#queue.push(onTurn);
    });
  }

  #leavePlace(): void {
    const next = this.#queue.shift();
    if (next) next();
    else this.#inFlight--;
  }

  /** One at a time, first come first served: only the foremost waits for the time, the others for it. */
  async #waitForTurn(images: number, signal: AbortSignal): Promise<void> {
    const before = this.#turn;
    let passOn: () => void = () => undefined;
    this.#turn = new Promise((resolve) => (passOn = resolve));
    try {
      await unlessAborted(before, signal);
      for (;;) {
        const waitMs =
          Math.max(this.#nextByImagesMs, this.#nextByCallsMs, this.#heldOffUntilMs) - this.clock.monotonicMs();
        if (waitMs <= 0) break;
        await this.clock.sleep(waitMs, signal);
      }
      const { imagesPerSecond, callsPerMinute } = this.limits;
      const nowMs = this.clock.monotonicMs();
      if (imagesPerSecond !== undefined) this.#nextByImagesMs = nowMs + (images / imagesPerSecond) * 1000;
      if (callsPerMinute !== undefined) this.#nextByCallsMs = nowMs + 60_000 / callsPerMinute;
    } finally {
      void before.then(passOn);
    }
  }
}

async function unlessAborted(promise: Promise<void>, signal: AbortSignal): Promise<void> {
  let onAbort: () => void = () => undefined;
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(new CancelledError(CANCELLED));
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
