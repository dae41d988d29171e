import { hash } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { storageError } from '@bbdistill/common';
import { open } from 'lmdb';
import type { Database, RootDatabase } from 'lmdb';
import { Evictor, USE_STEP_MS } from './cache-bound.js';
import type { CacheBound } from './cache-bound.js';
import type { CanonicalRequests, RawAnswer } from './teacher.js';

/** SHA-256 of one image's canonical request and the teacher's cache identity. */
export type AnswerKey = Buffer;

/** A raw answer, and what it was paid for. */
export interface CachedAnswer {
  raw: RawAnswer;
  /** The unit of work (run, phase, images) that paid for the query. */
  unit: string;
  /** The call in which it came; recovery tells by it what a lost call had brought home. */
  callId: string;
}

/**
 * Raw answers by key; normalised on reading, so that a fix in normalising costs nothing. Holds no errors. An entry
 * that is damaged isn't there: the image is asked again.
 */
export interface AnswerCache {
  get(key: AnswerKey): Promise<CachedAnswer | undefined>;
  /**
   * In the order of the keys.
   * @param fresh what any replica has put before is seen; else a moment may pass
   */
  getMany(keys: readonly AnswerKey[], fresh?: boolean): Promise<(CachedAnswer | undefined)[]>;
  /** @returns once all are durable; an entry that is there is replaced. */
  putMany(entries: readonly { key: AnswerKey; answer: CachedAnswer }[]): Promise<void>;
  close(): Promise<void>;
}

/** A cache whose answers can be gone through, to hand them on, and that takes those of another one. */
export interface ListableAnswerCache extends AnswerCache {
  /**
   * Puts those that aren't there, whoever else puts at the same time.
   * @returns once all are durable: for each whether it was put
   */
  addMany(entries: readonly { key: AnswerKey; answer: CachedAnswer }[]): Promise<boolean[]>;
  /** Whole answers only, in the order of the keys. */
  entries(): AsyncIterable<{ key: AnswerKey; answer: CachedAnswer }>;
}

/** One key per image. */
export function answerKeys(requests: CanonicalRequests, count: number, cacheIdentity: string): AnswerKey[] {
  // A length before each text: no two different pairs of texts give the same bytes.
  const head = Buffer.from(
    `${Buffer.byteLength(cacheIdentity)}:${cacheIdentity}${Buffer.byteLength(requests.header)}:${requests.header}`,
  );
  const { bytesPerImage } = requests;
  const bytes = Buffer.from(requests.bytes.buffer, requests.bytes.byteOffset, requests.bytes.byteLength);
  const request = Buffer.alloc(head.length + bytesPerImage);
  head.copy(request);
  return Array.from({ length: count }, (_, image) => {
    bytes.copy(request, head.length, image * bytesPerImage, (image + 1) * bytesPerImage);
    return hash('sha256', request, 'buffer');
  });
}

/** The cache of one machine: an lmdb file below the state folder. */
export class EmbeddedAnswerCache implements ListableAnswerCache {
  readonly #db: RootDatabase<Buffer, Buffer>;
  readonly #uses: UseBook | undefined;

  /**
   * @param folder made where it isn't there
   * @param bound absent: it may grow for ever
   * @throws FolderNotWritableError, DiskFullError
   */
  constructor(
    private readonly folder: string,
    bound?: CacheBound,
  ) {
    try {
      mkdirSync(folder, { recursive: true });
      this.#db = open<Buffer, Buffer>({
        path: folder,
        encoding: 'binary',
        keyEncoding: 'binary',
        // A promise of a write then means: on the disk, not only in the system's cache.
        overlappingSync: false,
      });
      this.#uses = bound && new UseBook(this.#db, bound);
    } catch (error) {
      throw storageError(error, folder);
    }
  }

  async get(key: AnswerKey): Promise<CachedAnswer | undefined> {
    return this.#read(key);
  }

  async getMany(keys: readonly AnswerKey[]): Promise<(CachedAnswer | undefined)[]> {
    return keys.map((key) => this.#read(key));
  }

  #read(key: AnswerKey): CachedAnswer | undefined {
    const bytes = this.#db.get(key);
    if (bytes) this.#uses?.touch(key);
    return bytes && decodeEntry(bytes);
  }

  /** Of these keys, those whose last use was noted before: longer ago than {@link USE_STEP_MS}. None without a bound. */
  staleUses(keys: readonly AnswerKey[]): AnswerKey[] {
    return keys.filter((key) => this.#uses?.isStale(key));
  }

  async putMany(entries: readonly { key: AnswerKey; answer: CachedAnswer }[]): Promise<void> {
    if (entries.length === 0) return;
    try {
      await Promise.all(
        entries.flatMap(({ key, answer }) => {
          const entry = encodeEntry(answer);
          const noted = this.#uses?.notePut(key, entry.length - (this.#db.get(key)?.length ?? 0));
          return [this.#db.put(key, entry), ...(noted ? [noted] : [])];
        }),
      );
      this.#uses?.evictor.note(this.#uses.bytes);
    } catch (error) {
      throw storageError(error, this.folder);
    }
  }

  async addMany(entries: readonly { key: AnswerKey; answer: CachedAnswer }[]): Promise<boolean[]> {
    const added = await Promise.all(
      entries.map(({ key, answer }) => {
        // One that is damaged isn't there.
        if (this.#db.get(key) && !this.#read(key)) return this.putMany([{ key, answer }]).then(() => true);
        return this.#db.ifNoExists(key, () => void this.#db.put(key, encodeEntry(answer)));
      }),
    ).catch((error: unknown) => {
      throw storageError(error, this.folder);
    });
    const uses = this.#uses;
    if (uses) {
      await Promise.all(
        entries.flatMap(({ key }, index) => (added[index] ? [uses.notePut(key, this.#db.get(key)?.length ?? 0)] : [])),
      );
    }
    return added;
  }

  async *entries(): AsyncIterable<{ key: AnswerKey; answer: CachedAnswer }> {
    for (const { key, value } of this.#db.getRange()) {
      const answer = decodeEntry(value);
      if (answer) yield { key: Buffer.from(key), answer };
    }
  }

  async close(): Promise<void> {
    await this.#uses?.close();
    await this.#db.close();
  }
}

const USES_NAME = 'uses';
const USE_BYTES = 8;
/** Of lmdb around a key and its value, about. */
const OVERHEAD_BYTES = 32;
const KEY_BYTES = 32;
const EVICT_BATCH = 1000;

/** When answers were used last, beside them in the same file, and the eviction of those that weren't for long. */
class UseBook {
  readonly #uses: Database<Buffer, Buffer>;
  readonly evictor: Evictor;
  readonly #touching = new Set<Promise<unknown>>();
  #bytes = 0;

  constructor(
    private readonly db: RootDatabase<Buffer, Buffer>,
    private readonly bound: CacheBound,
  ) {
    this.#uses = db.openDB<Buffer, Buffer>({ name: USES_NAME, encoding: 'binary', keyEncoding: 'binary' });
    this.evictor = new Evictor('the cache of answers', bound, (beforeMs, toBytes) => this.#evict(beforeMs, toBytes));
    const unknown: Buffer[] = [];
    for (const { key, value } of db.getRange()) {
      if (key.length !== KEY_BYTES) continue;
      this.#bytes += sizeOf(value.length);
      if (this.#uses.get(key) === undefined) unknown.push(Buffer.from(key));
    }
    // Kept by a process without a bound: whether a run needs them isn't known, so they count as used now.
    db.transactionSync(() => unknown.forEach((key) => this.#uses.putSync(key, this.#now())));
    this.evictor.note(this.#bytes);
  }

  get bytes(): number {
    return this.#bytes;
  }

  isStale(key: AnswerKey): boolean {
    return this.#usedAtMs(key) < this.bound.clock.nowMs() - USE_STEP_MS;
  }

  touch(key: AnswerKey): void {
    if (this.isStale(key)) this.#write(key);
  }

  /** @param grownBytes of the entry */
  async notePut(key: AnswerKey, grownBytes: number): Promise<void> {
    const isNew = this.#uses.get(key) === undefined;
    this.#bytes += isNew ? sizeOf(grownBytes) : grownBytes;
    await this.#uses.put(key, this.#now());
  }

  async close(): Promise<void> {
    await this.evictor.settled();
    await Promise.all(this.#touching);
  }

  #usedAtMs(key: AnswerKey): number {
    return this.#uses.get(key)?.readDoubleLE() ?? 0;
  }

  #now(): Buffer {
    const bytes = Buffer.alloc(USE_BYTES);
    bytes.writeDoubleLE(this.bound.clock.nowMs());
    return bytes;
  }

  #write(key: AnswerKey): void {
    const writing: Promise<unknown> = this.#uses
      .put(key, this.#now())
      // A full disk shows where answers are written.
      .catch(() => undefined)
      .finally(() => this.#touching.delete(writing));
    this.#touching.add(writing);
  }

  async #evict(beforeMs: number, toBytes: number): Promise<number> {
    const old: { key: Buffer; atMs: number }[] = [];
    for (const { key, value } of this.#uses.getRange()) {
      const atMs = value.readDoubleLE();
      if (atMs < beforeMs) old.push({ key: Buffer.from(key), atMs });
    }
    old.sort((a, b) => a.atMs - b.atMs);
    for (let at = 0; at < old.length && this.#bytes > toBytes; at += EVICT_BATCH) {
      const removed: Promise<unknown>[] = [];
      for (const { key, atMs } of old.slice(at, at + EVICT_BATCH)) {
        // Used again since the list was made, or enough is gone.
        if (this.#bytes <= toBytes) break;
        if (this.#usedAtMs(key) !== atMs) continue;
        this.#bytes -= sizeOf(this.db.get(key)?.length ?? 0);
        removed.push(this.db.remove(key), this.#uses.remove(key));
      }
      await Promise.all(removed);
    }
    return this.#bytes;
  }
}

const sizeOf = (entryBytes: number) => KEY_BYTES + OVERHEAD_BYTES + entryBytes;

// Entry: format (1 byte) | CRC-32 of the rest (4) | length of the text (2) | text "unit\ncall" | the raw answer.
const NUMBERS = 1; // float32, little-endian
const TEXT = 2; // UTF-8
const HEAD_BYTES = 7;

/** The bytes that a cache stores for an answer, with a checksum. */
export function encodeEntry(answer: CachedAnswer): Buffer {
  const text = Buffer.from(`${answer.unit}\n${answer.callId}`);
  const { raw } = answer;
  const body = typeof raw === 'string' ? Buffer.from(raw) : Buffer.from(raw.buffer, raw.byteOffset, raw.byteLength);
  const entry = Buffer.concat([Buffer.alloc(HEAD_BYTES), text, body]);
  entry.writeUInt8(typeof raw === 'string' ? TEXT : NUMBERS, 0);
  entry.writeUInt16LE(text.length, 5);
  entry.writeUInt32LE(crc32(entry.subarray(5)), 1);
  return entry;
}

/** @returns undefined where the entry is damaged or of a format that isn't known here */
export function decodeEntry(entry: Buffer): CachedAnswer | undefined {
  const format = entry[0];
  if (entry.length < HEAD_BYTES || (format !== NUMBERS && format !== TEXT)) return undefined;
  if (crc32(entry.subarray(5)) !== entry.readUInt32LE(1)) return undefined;
  const bodyAt = HEAD_BYTES + entry.readUInt16LE(5);
  if (bodyAt > entry.length || (format === NUMBERS && (entry.length - bodyAt) % 4 !== 0)) return undefined;
  const text = entry.toString('utf8', HEAD_BYTES, bodyAt);
  const split = text.indexOf('\n');
  if (split < 0) return undefined;
  const raw = format === TEXT ? entry.toString('utf8', bodyAt) : readNumbers(entry, bodyAt);
  return { raw, unit: text.slice(0, split), callId: text.slice(split + 1) };
}

/** One by one: quicker than views on memory that isn't aligned, and a copy, as lmdb uses its buffer again. */
function readNumbers(entry: Buffer, bodyAt: number): Float32Array {
  const numbers = new Float32Array((entry.length - bodyAt) / Float32Array.BYTES_PER_ELEMENT);
  for (let index = 0; index < numbers.length; index++) {
    numbers[index] = entry.readFloatLE(bodyAt + index * Float32Array.BYTES_PER_ELEMENT);
  }
  return numbers;
}
