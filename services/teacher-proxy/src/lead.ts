/** Of how many calls, the last ones, something is known. */
const CALLS = 9;
/** So many of them took less. */
const QUICKER_CALLS = 3;
/** A call isn't begun longer before its turn, whatever the last ones took. */
const MAX_LEAD_MS = 50;

/**
 * How long before its turn a call may begin what comes before it leaves: as long as most calls need. One that is ready
 * too early waits in the ledger as dispatched, and would count as spent if its process died before it left; one that is
 * ready too late wastes a part of the limit.
 */
export class Lead {
  readonly #tookMs: number[] = [];

  /** Milliseconds; 0 before the first calls. */
  get ms(): number {
    if (this.#tookMs.length <= QUICKER_CALLS) return 0;
    return Math.min(MAX_LEAD_MS, [...this.#tookMs].sort((a, b) => a - b)[QUICKER_CALLS]!);
  }

  note(tookMs: number): void {
    this.#tookMs.push(tookMs);
    if (this.#tookMs.length > CALLS) this.#tookMs.shift();
  }
}
