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
  close(): Promise<void>;
}
