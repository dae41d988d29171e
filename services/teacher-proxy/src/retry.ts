import type { RandomStream } from '@bbdistill/common';

export const BACKOFF_BASE_MS = 250;
export const MAX_BACKOFF_MS = 30_000;

/** Attempts at a call of which the teacher did nothing, the first included. */
export const MAX_THROTTLED_ATTEMPTS = 10;
export const MAX_UNREACHABLE_ATTEMPTS = 5;
/** Attempts at a call that the teacher itself fails on, the first included. */
export const MAX_FAILED_ATTEMPTS = 3;
/** Queries of one image whose answers got lost, before it is given up: each may have been charged. */
export const MAX_LOST_ATTEMPTS = 2;

/** Doubles with each attempt, half of it random, so that callers who failed together don't come back together. */
export function backoffMs(attempt: number, random: RandomStream): number {
  const ceilingMs = Math.min(MAX_BACKOFF_MS, BACKOFF_BASE_MS * 2 ** (attempt - 1));
  return ceilingMs / 2 + random.between(0, ceilingMs / 2);
}
