import { mkdir, open, readFile, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { dirname, join } from 'node:path';
import { InvalidArgumentError } from '../../errors.js';
import { BlobCorruptError, BlobNotFoundError, sha256Hex } from '../blob-store.js';
import type { AgedBlob, BlobRef, BlobStore } from '../blob-store.js';
import { storing } from './storage-errors.js';

const TEMPORARY_PREFIX = '.writing-';
const SHA256 = /^[0-9a-f]{64}$/;

/** Blobs as files, `ab/cdef…`. A file has its final name only once its bytes are on the disk. */
export class DirectoryBlobStore implements BlobStore {
  /** By hash, the end of what is done to its file: one step at a time, in the order they were asked for. */
  readonly #steps = new Map<string, Promise<unknown>>();
  readonly #madeFolders = new Set<string>();
  #temporaryFiles = 0;

  private constructor(private readonly folder: string) {}

  /** Opens the folder and clears what a killed process left half written. The caller holds the state folder's lock. */
  static async open(folder: string): Promise<DirectoryBlobStore> {
    await storing(folder, () => mkdir(folder, { recursive: true }));
    for await (const path of filesIn(folder)) {
      if (path.name.startsWith(TEMPORARY_PREFIX)) await rm(join(path.folder, path.name), { force: true });
    }
    return new DirectoryBlobStore(folder);
  }

  async put(bytes: Uint8Array): Promise<BlobRef> {
    const sha256 = sha256Hex(bytes);
    const path = this.#pathOf(sha256);
    await this.#inTurn(sha256, async () => {
      if ((await sizeOf(path)) !== bytes.length) return this.#write(path, bytes);
      const now = new Date();
      await utimes(path, now, now);
    });
    return { sha256, sizeBytes: bytes.length };
  }

  async get(sha256: string): Promise<Uint8Array> {
    let bytes: Buffer;
    try {
      bytes = await readFile(this.#pathOf(sha256));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new BlobNotFoundError(sha256);
      throw error;
    }
    const found = sha256Hex(bytes);
    if (found !== sha256) throw new BlobCorruptError(sha256, found);
    return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  async has(sha256: string): Promise<boolean> {
    return (await sizeOf(this.#pathOf(sha256))) !== undefined;
  }

  async delete(sha256: string): Promise<void> {
    const path = this.#pathOf(sha256);
    await this.#inTurn(sha256, () => rm(path, { force: true }));
  }

  async *list(): AsyncIterable<string> {
    for await (const { folder, name } of filesIn(this.folder)) {
      const sha256 = folder.slice(-2) + name;
      if (SHA256.test(sha256)) yield sha256;
    }
  }

  async *listAged(): AsyncIterable<AgedBlob> {
    for await (const sha256 of this.list()) {
      const putAtMs = await putAtMsOf(this.#pathOf(sha256));
      if (putAtMs !== undefined) yield { sha256, putAtMs };
    }
  }

  async deleteOlder(sha256: string, beforeMs: number): Promise<boolean> {
    const path = this.#pathOf(sha256);
    return this.#inTurn(sha256, async () => {
      const putAtMs = await putAtMsOf(path);
      if (putAtMs === undefined) return true;
      if (putAtMs >= beforeMs) return false;
      await rm(path, { force: true });
      return true;
    });
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#steps.values());
  }

  /** Whoever puts a blob again must not be told that it is there while another step deletes it. */
  async #inTurn<T>(sha256: string, step: () => Promise<T>): Promise<T> {
    const before = this.#steps.get(sha256);
    const done = storing(this.folder, async () => {
      await before?.catch(() => undefined);
      return step();
    });
    this.#steps.set(sha256, done);
    try {
      return await done;
    } finally {
      if (this.#steps.get(sha256) === done) this.#steps.delete(sha256);
    }
  }

  #pathOf(sha256: string): string {
    if (!SHA256.test(sha256)) {
      throw new InvalidArgumentError(`"${sha256}" names no blob: it takes 64 lower-case hexadecimal digits`);
    }
    return join(this.folder, sha256.slice(0, 2), sha256.slice(2));
  }

  async #write(path: string, bytes: Uint8Array): Promise<void> {
    const folder = dirname(path);
    await this.#makeFolder(folder);
    const temporary = join(folder, `${TEMPORARY_PREFIX}${process.pid}-${this.#temporaryFiles++}`);
    try {
      const file = await open(temporary, 'wx');
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
    await syncFolder(folder);
  }

  async #makeFolder(folder: string): Promise<void> {
    if (this.#madeFolders.has(folder)) return;
    await mkdir(folder, { recursive: true });
    await syncFolder(this.folder);
    this.#madeFolders.add(folder);
  }
}

async function* filesIn(root: string): AsyncIterable<{ folder: string; name: string }> {
  for (const entry of await readdir(root, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const folder = join(root, entry.name);
    for (const name of await readdir(folder)) yield { folder, name };
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await statOf(path))?.size;
}

async function putAtMsOf(path: string): Promise<number | undefined> {
  return (await statOf(path))?.mtimeMs;
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Without it a name may be lost in a power cut although its bytes are there. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
