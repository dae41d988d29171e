import { asBbdError } from '@bbdistill/common';
import type { Clock, Logger } from '@bbdistill/common';

/** Setting that bounds the cache, as errors and warnings name it. */
export const CACHE_BOUND_SETTING = 'cacheMaxBytes (BBDISTILL_CACHE_MAX_BYTES)';
/** An answer's last use is known to this: a note at every reading would be a write at every reading. */
export const USE_STEP_MS = 3_600_000;
/** So much is evicted at once that it isn't due again with the next answer. */
export const EVICT_TO = 0.9;
/** How soon it is tried again where nothing more could be evicted. */
const RETRY_MS = 60_000;

/** How large a cache may be, and what it may never lose. */
export interface CacheBound {
  maxBytes: number;
  /** When the oldest run that may still ask began, by the wall clock; undefined: there is none. */
  neededSinceMs: () => Promise<number | undefined>;
  clock: Clock;
  logger: Logger;
}

/** Keeps something within a {@link CacheBound}: evicts in the background, one eviction at a time. */
export class Evictor {
  #running: Promise<void> | undefined;
  #waitUntilMs = -Infinity;
  #warned = false;

  /**
   * @param evict removes what was used last before `beforeMs`, oldest first, until `toBytes` are left
   * @returns the bytes that are left
   */
  constructor(
    private readonly where: string,
    private readonly bound: CacheBound,
    private readonly evict: (beforeMs: number, toBytes: number) => Promise<number>,
  ) {}

  /** To be told after what may have made it larger. */
  note(bytes: number): void {
    const { maxBytes, clock } = this.bound;
    if (bytes <= maxBytes || this.#running || clock.monotonicMs() < this.#waitUntilMs) return;
    this.#running = this.#run().finally(() => (this.#running = undefined));
  }

  /** Waits for an eviction under way. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #run(): Promise<void> {
    const { maxBytes, neededSinceMs, clock, logger } = this.bound;
    try {
      const sinceMs = await neededSinceMs();
      const beforeMs = sinceMs === undefined ? Infinity : sinceMs - USE_STEP_MS;
      const left = await this.evict(beforeMs, Math.floor(maxBytes * EVICT_TO));
      if (left <= maxBytes) return;
      this.#waitUntilMs = clock.monotonicMs() + RETRY_MS;
      if (this.#warned) return;
      this.#warned = true;
      logger.warn(
        { bytes: left, maxBytes },
        `${this.where} is larger than ${CACHE_BOUND_SETTING} allows: all of it may be needed by runs that are open, so it is kept; raise the setting, or end or delete runs`,
      );
    } catch (error) {
      // What can't be known to be of no use is kept.
      this.#waitUntilMs = clock.monotonicMs() + RETRY_MS;
      logger.warn({ err: asBbdError(error) }, `${this.where} could not be kept within ${CACHE_BOUND_SETTING}`);
    }
  }
}
