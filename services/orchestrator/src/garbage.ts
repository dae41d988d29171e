import {
  FailedPreconditionError,
  KeyExistsError,
  RevisionMismatchError,
  asBbdError,
  decodeJson,
  encodeJson,
  isEnded,
  lastUseMs,
} from '@bbdistill/common';
import type { Clock, JobRecord, Logger, StateEntry, Stores } from '@bbdistill/common';
import type { DatasetRecord } from './datasets.js';
import { RunStore, isOver } from './run-record.js';
import type { RunRecord } from './run-record.js';

/** What is younger is never garbage: its record may still be on its way. Longer than any job takes. */
export const DEFAULT_GARBAGE_AGE_MS = 24 * 3_600_000;
export const DEFAULT_GARBAGE_INTERVAL_MS = 3_600_000;
/** Runs are kept for ever. */
export const DEFAULT_RUN_RETENTION_MS = 0;
const TURN_KEY = 'garbage/turn';
const CHECKPOINTS = 'checkpoints/';
const HASH = /[0-9a-f]{64}/g;

export interface GarbageOptions {
  stores: Pick<Stores, 'state' | 'events' | 'blobs'>;
  clock: Clock;
  /** What is younger is kept. */
  ageMs: number;
  /** After which a run that is over is deleted; 0: never. */
  runRetentionMs: number;
}

export interface Collected {
  runs: number;
  jobs: number;
  datasets: number;
  blobs: number;
}

/**
 * Deletes runs past their retention, and what no run uses any more: jobs' records, data sets, and the blobs that no
 * record names. Any number of processes may do so at once, and work goes on meanwhile: whatever was made, used or put
 * anew within the age is kept.
 */
export async function collectGarbage({ stores, clock, ageMs, runRetentionMs }: GarbageOptions): Promise<Collected> {
  const { state, events, blobs } = stores;
  const runs = new RunStore(state, events);
  const before = clock.nowMs() - ageMs;
  const collected: Collected = { runs: 0, jobs: 0, datasets: 0, blobs: 0 };

  const usedJobs = new Set<string>();
  const usedDatasets = new Set<string>();
  for await (const { value } of state.list('runs/')) {
    const run = decodeJson<RunRecord>(value);
    const expired = runRetentionMs > 0 && isOver(run.state) && (run.endedAtMs ?? 0) < clock.nowMs() - runRetentionMs;
    if (expired && (await attempted(() => runs.delete(run.id)))) {
      collected.runs++;
      continue;
    }
    for (const id of [...run.jobs, ...(run.usedJobs ?? [])]) usedJobs.add(id);
    usedDatasets.add(run.spec.images).add(run.spec.test);
  }
  for await (const entry of state.list('jobs/')) {
    const job = decodeJson<JobRecord>(entry.value);
    if (usedJobs.has(job.id) || !isEnded(job.state) || lastUseMs(job) >= before) continue;
    if (await deleted(entry)) collected.jobs++;
  }
  for await (const entry of state.list('datasets/')) {
    const { id, storedAtMs = 0 } = decodeJson<DatasetRecord>(entry.value);
    if (usedDatasets.has(id) || storedAtMs >= before) continue;
    if (await deleted(entry)) collected.datasets++;
  }
  for await (const entry of state.list(CHECKPOINTS)) {
    const job = await state.get(`jobs/${entry.key.slice(CHECKPOINTS.length)}`);
    // Its trainer died between the result and the clearing up.
    if (!job || decodeJson<JobRecord>(job.value).state === 'succeeded') await deleted(entry);
  }

  const candidates: string[] = [];
  for await (const { sha256, putAtMs } of blobs.listAged()) if (putAtMs < before) candidates.push(sha256);
  // The records are read after the blobs: what was put later than `before` is safe anyway.
  const named = new Set<string>();
  const decoder = new TextDecoder();
  for await (const { value } of state.list('')) {
    for (const [hash] of decoder.decode(value).matchAll(HASH)) named.add(hash);
  }
  for (const sha256 of candidates) {
    if (!named.has(sha256) && (await blobs.deleteOlder(sha256, before))) collected.blobs++;
  }
  return collected;

  /** @returns false where it was changed meanwhile: it is of use again */
  function deleted({ key, revision }: StateEntry): Promise<boolean> {
    return attempted(() => state.delete(key, revision));
  }
}

async function attempted(work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    if (error instanceof RevisionMismatchError || error instanceof FailedPreconditionError) return false;
    throw error;
  }
}

export interface GarbageCollectorOptions extends GarbageOptions {
  intervalMs: number;
  logger: Logger;
}

/** Collects garbage once in a while until the signal aborts; of several orchestrators one at a time. */
export async function collectOnAndOn(options: GarbageCollectorOptions, signal: AbortSignal): Promise<void> {
  const { stores, clock, intervalMs, logger } = options;
  while (!signal.aborted) {
    await clock.sleep(intervalMs, signal).catch(() => undefined);
    if (signal.aborted) return;
    try {
      if (!(await takeTurn(stores, clock.nowMs(), intervalMs))) continue;
      logger.info({ collected: await collectGarbage(options) }, 'collected garbage');
    } catch (thrown) {
      logger.warn({ err: asBbdError(thrown) }, 'could not collect garbage: trying again later');
    }
  }
}

/** @returns whether this process is the one that collects now */
async function takeTurn({ state }: GarbageOptions['stores'], nowMs: number, intervalMs: number): Promise<boolean> {
  const turn = encodeJson({ atMs: nowMs });
  const entry = await state.get(TURN_KEY);
  if (entry && nowMs - decodeJson<{ atMs: number }>(entry.value).atMs < intervalMs / 2) return false;
  try {
    if (entry) await state.update(TURN_KEY, turn, entry.revision);
    else await state.create(TURN_KEY, turn);
    return true;
  } catch (error) {
    if (error instanceof KeyExistsError || error instanceof RevisionMismatchError) return false;
    throw error;
  }
}
