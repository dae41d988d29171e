/** A usual variation of latency adds at most this part of the window to the rest; more would cost too much of the limit. */
const MAX_USUAL_PART = 0.02;
/** Lateness of this many mean deviations is an outlier, which is added in full: it is rare. */
const OUTLIER_DEVIATIONS = 6;
const FIRST_CALLS = 8;
/** Over about how many calls the deviation is averaged. */
const CALLS = 16;
/** The quickest call is forgotten by and by: the teacher may have become slower. */
const FORGETTING = 1.001;

export interface Late {
  lateMs: number;
  isOutlier: boolean;
}

/**
 * The teacher counts a call when it comes in, not when it left here. What a call took longer than the quickest ones may
 * have been spent on the way there, so its slots rest longer.
 */
export class Lateness {
  #calls = 0;
  #leastMs = Infinity;
  #deviationMs = 0;

  /** By how much a call that took so long may have come in late. */
  note(latencyMs: number): Late {
    this.#calls++;
    this.#leastMs = Math.min(this.#leastMs * FORGETTING, latencyMs);
    // Of the first calls nothing is known: each may have been on the way until its answer came.
    const isFirst = this.#calls <= FIRST_CALLS;
    const lateMs = isFirst ? latencyMs : latencyMs - this.#leastMs;
    const outlierMs = OUTLIER_DEVIATIONS * Math.max(this.#deviationMs, 1);
    const isOutlier = isFirst || lateMs > outlierMs;
    this.#deviationMs += (Math.min(lateMs, outlierMs) - this.#deviationMs) / CALLS;
    return { lateMs, isOutlier };
  }
}

/** How much longer the call's slots rest. */
export function allowanceMs({ lateMs, isOutlier }: Late, windowMs: number): number {
  return Math.min(lateMs, isOutlier ? windowMs : windowMs * MAX_USUAL_PART);
}
