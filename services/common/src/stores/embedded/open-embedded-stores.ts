import { randomUUID } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { open } from 'lmdb';
import type { RootDatabase } from 'lmdb';
import type { Clock } from '../../clock.js';
import type { Stores } from '../stores.js';
import { DEFAULT_ACK_WAIT_MS } from '../work-queue.js';
import { DirectoryBlobStore } from './directory-blob-store.js';
import { FileMarks } from './file-marks.js';
import { lockFolder } from './folder-lock.js';
import { LmdbEventLog } from './lmdb-event-log.js';
import { LmdbStateStore } from './lmdb-state-store.js';
import { LmdbWorkQueue } from './lmdb-work-queue.js';
import { storing } from './storage-errors.js';

export interface EmbeddedStoresOptions {
  /** Made where it isn't there. One process at a time. */
  folder: string;
  clock: Clock;
  /** After which an unacknowledged message is delivered again. Default {@link DEFAULT_ACK_WAIT_MS}. */
  ackWaitMs?: number;
}

/**
 * All stores in one folder of this machine: blobs as files, the rest in one lmdb file.
 * @throws ConfigError where another process uses the folder
 * @throws FolderNotWritableError, DiskFullError
 */
export async function openEmbeddedStores(options: EmbeddedStoresOptions): Promise<Stores> {
  const folder = resolve(options.folder);
  await storing(folder, () => mkdir(folder, { recursive: true }));
  const root = await storing(folder, () => openDatabase(folder));
  let release: () => void;
  try {
    release = await storing(folder, () => lockFolder(root, folder));
  } catch (error) {
    await root.close();
    throw error;
  }
  try {
    const blobs = await DirectoryBlobStore.open(join(folder, 'blobs'));
    const state = new LmdbStateStore(root, folder);
    const queue = new LmdbWorkQueue(root, folder, options.clock, options.ackWaitMs ?? DEFAULT_ACK_WAIT_MS);
    const events = new LmdbEventLog(root, folder, options.clock);
    let closing: Promise<void> | undefined;
    const marks = FileMarks.open(folder);
    const close = async () => {
      marks?.close();
      await Promise.all([blobs.close(), state.close(), queue.close(), events.close()]);
      try {
        await storing(folder, release);
      } finally {
        await root.close();
      }
    };
    return {
      blobs,
      state,
      queue,
      events,
      soleSession: randomUUID(),
      ...(marks && { marks }),
      close: () => (closing ??= close()),
    };
  } catch (error) {
    release();
    await root.close();
    throw error;
  }
}

function openDatabase(folder: string): RootDatabase {
  return open({
    path: join(folder, 'state.lmdb'),
    noSubdir: true,
    maxDbs: 16,
    // A promise of a write then means: on the disk, not only in the system's cache.
    overlappingSync: false,
    // With it, a failed commit also rejects a promise that nobody can reach, and that ends the process.
    eventTurnBatching: false,
  });
}
