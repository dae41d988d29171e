import {
  BlobNotFoundError,
  KeyExistsError,
  RevisionMismatchError,
  asBbdError,
  decodeJson,
  encodeJson,
} from '@bbdistill/common';
import type { BbdError, BlobStore, StateEntry, StateStore } from '@bbdistill/common';

interface CheckpointRecord {
  sha256: string;
}

const keyOf = (jobId: string) => `checkpoints/${jobId}`;

/** The newest checkpoint of every training under way: bytes in the blob store, their hash in the state store. */
export class CheckpointStore {
  constructor(
    private readonly blobs: BlobStore,
    private readonly state: StateStore,
  ) {}

  /** @returns undefined where there is none, or its bytes are gone: the training then starts anew */
  async load(jobId: string): Promise<Uint8Array | undefined> {
    const entry = await this.state.get(keyOf(jobId));
    if (!entry) return undefined;
    try {
      return await this.blobs.get(recordOf(entry).sha256);
    } catch (error) {
      if (error instanceof BlobNotFoundError) return undefined;
      throw error;
    }
  }

  /** Takes the place of the one before. */
  async save(jobId: string, bytes: Uint8Array): Promise<void> {
    const { sha256 } = await this.blobs.put(bytes);
    const value = encodeJson({ sha256 } satisfies CheckpointRecord);
    const before = await this.state.get(keyOf(jobId));
    try {
      if (before) await this.state.update(keyOf(jobId), value, before.revision);
      else await this.state.create(keyOf(jobId), value);
    } catch (error) {
      // Two workers on one job write the same checkpoints: either will do.
      if (error instanceof RevisionMismatchError || error instanceof KeyExistsError) return;
      throw error;
    }
    if (before && recordOf(before).sha256 !== sha256) await this.blobs.delete(recordOf(before).sha256);
  }

  /** Forgets the checkpoint of a training that ended. */
  async clear(jobId: string): Promise<void> {
    const entry = await this.state.get(keyOf(jobId));
    if (!entry) return;
    try {
      await this.state.delete(keyOf(jobId), entry.revision);
    } catch (error) {
      if (error instanceof RevisionMismatchError) return;
      throw error;
    }
    await this.blobs.delete(recordOf(entry).sha256);
  }
}

/** Writes the newest checkpoint, one write at a time: what is older than one that waits is left out. */
export class CheckpointWriter {
  #waiting: Uint8Array | undefined;
  #writing: Promise<void> | undefined;
  #failure: BbdError | undefined;

  constructor(private readonly save: (bytes: Uint8Array) => Promise<void>) {}

  /** Why the last write did not succeed, if it didn't. */
  get failure(): BbdError | undefined {
    return this.#failure;
  }

  write(bytes: Uint8Array): void {
    this.#waiting = bytes;
    this.#writing ??= this.#writeAll();
  }

  /** No write is under way. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting) {
      const bytes = this.#waiting;
      this.#waiting = undefined;
      try {
        await this.save(bytes);
        this.#failure = undefined;
      } catch (error) {
        this.#failure = asBbdError(error);
      }
    }
    this.#writing = undefined;
  }
}

function recordOf(entry: StateEntry): CheckpointRecord {
  return decodeJson<CheckpointRecord>(entry.value);
}
