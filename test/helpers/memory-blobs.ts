import { BlobNotFoundError, sha256Hex } from '@bbdistill/common';
import type { BlobRef } from '@bbdistill/common';

/** The part of a BlobStore that domain code reads and writes, in memory. */
export class MemoryBlobs {
  readonly #bytes = new Map<string, Uint8Array>();

  async put(bytes: Uint8Array): Promise<BlobRef> {
    const sha256 = sha256Hex(bytes);
    this.#bytes.set(sha256, bytes.slice());
    return { sha256, sizeBytes: bytes.length };
  }

  async get(sha256: string): Promise<Uint8Array> {
    const bytes = this.#bytes.get(sha256);
    if (!bytes) throw new BlobNotFoundError(sha256);
    return bytes.slice();
  }
}
