/** A call that took longer than this was an exception. */
const MAX_LEAD_MS = 50;
/** Over how many calls is averaged. */
const CALLS = 8;
/** Most calls are ready in the mean and so many mean deviations; one that isn't leaves its slot unused for as long. */
const DEVIATIONS = 2;

/** How long before its turn a call has to begin what comes before it leaves, as the last calls had it. */
export class Lead {
  #meanMs = 0;
  #deviationMs = 0;

  /** Milliseconds; 0 before the first call. */
  get ms(): number {
    return Math.min(MAX_LEAD_MS, this.#meanMs + DEVIATIONS * this.#deviationMs);
  }

  note(tookMs: number): void {
    const boundedMs = Math.min(tookMs, MAX_LEAD_MS);
    this.#deviationMs += (Math.abs(boundedMs - this.#meanMs) - this.#deviationMs) / CALLS;
    this.#meanMs += (boundedMs - this.#meanMs) / CALLS;
  }
}
