import type { BlobStore } from './blob-store.js';
import type { EventLog } from './event-log.js';
import type { StateStore } from './state-store.js';
import type { WorkQueue } from './work-queue.js';

/** Everything a service keeps outside itself. */
export interface Stores {
  blobs: BlobStore;
  state: StateStore;
  queue: WorkQueue;
  events: EventLog;
  /** Set where one process at a time can have the stores: names this opening. What earlier ones held is free. */
  readonly soleSession?: string;
  close(): Promise<void>;
}
