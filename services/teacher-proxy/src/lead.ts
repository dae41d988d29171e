/** A call that took longer than this was an exception. */
const MAX_LEAD_MS = 50;
/** Over how many calls is averaged. */
const CALLS = 8;
/** Nearly every call takes longer than the mean less so many mean deviations. */
const DEVIATIONS = 2;

/**
 * How long before its turn a call may begin what comes before it leaves: no longer than nearly every call needs. One that
 * is ready too early waits in the ledger as dispatched, and would count as spent if its process died before it left.
 */
export class Lead {
  #meanMs = 0;
  #deviationMs = 0;

  /** Milliseconds; 0 before the first call. */
  get ms(): number {
    return Math.max(0, this.#meanMs - DEVIATIONS * this.#deviationMs);
  }

  note(tookMs: number): void {
    const boundedMs = Math.min(tookMs, MAX_LEAD_MS);
    this.#deviationMs += (Math.abs(boundedMs - this.#meanMs) - this.#deviationMs) / CALLS;
    this.#meanMs += (boundedMs - this.#meanMs) / CALLS;
  }
}
