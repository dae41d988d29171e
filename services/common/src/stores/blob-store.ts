import { createHash } from 'node:crypto';
import { DataLossError, NotFoundError } from '../errors.js';

/** Names bytes by their content. */
export interface BlobRef {
  /** 64 lower-case hexadecimal digits. */
  sha256: string;
  sizeBytes: number;
}

export interface AgedBlob {
  sha256: string;
  /** Milliseconds since the epoch. */
  putAtMs: number;
}

/** A put of what is there is noted only where the last one is longer ago. */
export const BLOB_TIME_GRAIN_MS = 600_000;

/**
 * Immutable bytes by SHA-256. A partial write is never visible, writing the same bytes twice is one blob, readers
 * verify what they read.
 */
export interface BlobStore {
  /** @returns once the bytes are durable. */
  put(bytes: Uint8Array): Promise<BlobRef>;
  /**
   * @throws BlobNotFoundError
   * @throws BlobCorruptError where the stored bytes don't have the hash any more
   */
  get(sha256: string): Promise<Uint8Array>;
  has(sha256: string): Promise<boolean>;
  /** Deleting what isn't there is no error. */
  delete(sha256: string): Promise<void>;
  /** All hashes, in no particular order. */
  list(): AsyncIterable<string>;
  /** All blobs with the time of their last `put`, which may lie back by up to {@link BLOB_TIME_GRAIN_MS} too far. */
  listAged(): AsyncIterable<AgedBlob>;
  /**
   * For the collection of garbage: deletes the blob unless somebody put it after that time.
   * @returns whether it is gone
   */
  deleteOlder(sha256: string, beforeMs: number): Promise<boolean>;
  close(): Promise<void>;
}

/** No blob has this hash. */
export class BlobNotFoundError extends NotFoundError {
  constructor(readonly sha256: string) {
    super(`there is no blob ${sha256}: it was deleted, or the run belongs to another state folder`, {
      code: 'BLOB_NOT_FOUND',
    });
  }
}

/** The stored bytes were changed or cut after they had been written. */
export class BlobCorruptError extends DataLossError {
  constructor(
    readonly sha256: string,
    readonly foundSha256: string,
  ) {
    super(
      `blob ${sha256} is damaged (its bytes now hash to ${foundSha256}): delete it and resume the run to make it again`,
      {
        code: 'BLOB_CORRUPT',
      },
    );
  }
}

/** SHA-256 as 64 lower-case hexadecimal digits. */
export function sha256Hex(bytes: Uint8Array | string): string {
  return createHash('sha256').update(bytes).digest('hex');
}
