import { decodeJson } from './json.js';
import type { StateStore } from './stores/state-store.js';

/** Prefix of the records of runs. */
export const RUN_KEY_PREFIX = 'runs/';
/** A run that ended without success may be resumed; after so long nobody is expected to. */
export const RESUMABLE_FOR_MS = 30 * 24 * 3_600_000;

/** The part of a run's record that tells whether it may still ask a teacher. */
export interface RunSpan {
  state: string;
  createdAtMs: number;
  endedAtMs?: number;
}

/**
 * When the oldest run that may still ask a teacher was made: one that is under way, or that ended without success and may
 * be resumed.
 * @returns undefined where there is none
 */
export async function oldestOpenRunMs(state: StateStore, nowMs: number): Promise<number | undefined> {
  let oldestMs: number | undefined;
  for await (const { value } of state.list(RUN_KEY_PREFIX)) {
    const run = decodeJson<RunSpan>(value);
    if (run.state === 'succeeded' || (run.endedAtMs ?? nowMs) < nowMs - RESUMABLE_FOR_MS) continue;
    oldestMs = Math.min(oldestMs ?? Infinity, run.createdAtMs);
  }
  return oldestMs;
}
