import { setTimeout as delay } from 'node:timers/promises';
import { CancelledError } from './errors.js';

/** Time, injected everywhere so that tests never wait. */
export interface Clock {
  /** Milliseconds since the epoch; may jump. For records and people. */
  nowMs(): number;
  /** Milliseconds that only ever grow. For timeouts, leases and rates. */
  monotonicMs(): number;
  /** @throws CancelledError when the signal aborts first. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
  async sleep(durationMs, signal) {
    try {
      await delay(durationMs, undefined, signal ? { signal } : {});
    } catch (cause) {
      throw new CancelledError('cancelled while waiting', { cause });
    }
  },
};

interface Sleeper {
  wakeAtMs: number;
  wake: () => void;
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  #elapsedMs = 0;
  #sleepers: Sleeper[] = [];

  constructor(private readonly startMs = 1_700_000_000_000) {}

  nowMs(): number {
    return this.startMs + this.#elapsedMs;
  }

  monotonicMs(): number {
    return this.#elapsedMs;
  }

  /** How many sleepers wait. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(new CancelledError('cancelled while waiting'));
    if (durationMs <= 0) return Promise.resolve();
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(new CancelledError('cancelled while waiting'));
      };
      const sleeper: Sleeper = {
        wakeAtMs: this.#elapsedMs + durationMs,
        wake: () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        },
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.#sleepers.push(sleeper);
    });
  }

  /** Moves time on and wakes, in order, who is due. */
  async advance(durationMs: number): Promise<void> {
    const targetMs = this.#elapsedMs + durationMs;
    for (;;) {
      const next = this.#sleepers.filter((s) => s.wakeAtMs <= targetMs).sort((a, b) => a.wakeAtMs - b.wakeAtMs)[0];
      if (!next) break;
      this.#elapsedMs = next.wakeAtMs;
      this.#sleepers = this.#sleepers.filter((other) => other !== next);
      next.wake();
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#elapsedMs = targetMs;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
