import { BbdError } from '../errors.js';
import type { BlobStore } from './blob-store.js';
import type { ByteBucket } from './byte-bucket.js';
import type { EventLog } from './event-log.js';
import type { ProcessMarks } from './process-marks.js';
import type { StateStore } from './state-store.js';
import type { WorkQueue } from './work-queue.js';

/** How the link to the stores does. */
export interface StoreHealth {
  connected: boolean;
  /** The watch or consume loop that has gone longest without a sign of life; a few seconds are normal. */
  oldestLoop: { name: string; ageMs: number } | undefined;
}

/** Everything a service keeps outside itself. */
export interface Stores {
  blobs: BlobStore;
  state: StateStore;
  queue: WorkQueue;
  events: EventLog;
  /** Teachers' answers that all processes share; absent where there is one process. */
  answers?: ByteBucket;
  /** Set where one process at a time can have the stores: names this opening. What earlier ones held is free. */
  readonly soleSession?: string;
  /** Only beside a {@link soleSession}, and where the system tells one start of the machine from another. */
  readonly marks?: ProcessMarks;
  /** Absent where there is no link that could be lost. */
  health?(): StoreHealth;
  close(): Promise<void>;
}

/** Code of the error of an operation that the stores did not carry out within its patience. */
export const STORES_UNAVAILABLE = 'NATS_UNAVAILABLE';

/** Whether the stores were away: no fault of the work that met it, which may go on once they are there again. */
export function isStoreOutage(thrown: unknown): boolean {
  return thrown instanceof BbdError && thrown.code === STORES_UNAVAILABLE;
}
