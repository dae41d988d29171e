import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { InvalidArgumentError, asBbdError } from '@bbdistill/common';
import { decodeEntry, encodeEntry } from './cache.js';
import type { AnswerKey, CachedAnswer, ListableAnswerCache } from './cache.js';
import type { RawAnswer } from './teacher.js';

// Gzip of: the magic line, then a record an answer: length of the entry (4 bytes, LE) | key (32) | entry with its
// CRC-32; at the end a length of 0 | number of answers (4, LE) | sha-256 of all before it (32).
const MAGIC = Buffer.from('bbdistill answers 1\n');
const KEY_BYTES = 32;
const LENGTH_BYTES = 4;
/** No answer is longer; a damaged length must not ask for gigabytes. */
const MAX_ENTRY_BYTES = 2 * 1024 * 1024;
const NOT_OF_THIS_KIND = 'it is no file that bbdistill cache export wrote';
const IMPORTED = 'imported';
const IMPORT_BATCH = 500;

/**
 * Writes all answers of a cache into one file; a file that is there is replaced once the new one is whole.
 * @returns how many
 */
export async function exportAnswers(cache: ListableAnswerCache, path: string): Promise<number> {
  let count = 0;
  const partial = `${path}.partial`;
  async function* records(): AsyncGenerator<Buffer> {
    const hash = createHash('sha256');
    const hashed = (bytes: Buffer) => {
      hash.update(bytes);
      return bytes;
    };
    yield hashed(MAGIC);
    for await (const { key, answer } of cache.entries()) {
      const entry = encodeEntry(answer);
      yield hashed(Buffer.concat([uint32(entry.length), key, entry]));
      count++;
    }
    const end = hashed(Buffer.concat([uint32(0), uint32(count)]));
    yield Buffer.concat([end, hash.digest()]);
  }
  try {
    await pipeline(Readable.from(records()), createGzip(), createWriteStream(partial));
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  return count;
}

/**
 * Adds the answers of a file to a cache. The whole file is verified before the first answer is taken; an answer that
 * is there already stays; where the file says something else of the same image and teacher, it is counted as a conflict:
 * either answers by chance, or another model answers under the same cacheIdentity.
 * @throws InvalidArgumentError where the file is damaged or none of this kind
 */
export async function importAnswers(
  cache: ListableAnswerCache,
  path: string,
): Promise<{ added: number; known: number; conflicts: number }> {
  for await (const _ of readAnswers(path));
  let added = 0;
  let known = 0;
  let conflicts = 0;
  let batch: { key: AnswerKey; answer: CachedAnswer }[] = [];
  const flush = async () => {
    const isAdded = await cache.addMany(batch);
    const others = batch.filter((_, index) => !isAdded[index]);
    const mine = await cache.getMany(others.map(({ key }) => key));
    added += batch.length - others.length;
    known += others.length;
    conflicts += others.filter(({ answer }, index) => !saysTheSame(mine[index]?.raw, answer.raw)).length;
    batch = [];
  };
  for await (const { key, answer } of readAnswers(path)) {
    // Whoever paid for it isn't here: to every run of this cache it is an answer that was known before.
    batch.push({ key, answer: { ...answer, unit: IMPORTED, callId: IMPORTED } });
    if (batch.length === IMPORT_BATCH) await flush();
  }
  await flush();
  return { added, known, conflicts };
}

function saysTheSame(a: RawAnswer | undefined, b: RawAnswer): boolean {
  if (a === undefined || typeof a === 'string' || typeof b === 'string') return a === b;
  return a.length === b.length && a.every((value, index) => Object.is(value, b[index]));
}

async function* readAnswers(path: string): AsyncGenerator<{ key: AnswerKey; answer: CachedAnswer }> {
  const file = createReadStream(path);
  const unpacked = createGunzip();
  // An error of the file ends the reading as one of the archive does.
  file.on('error', (error) => unpacked.destroy(error));
  const source = new ByteReader(file.pipe(unpacked), path);
  const hash = createHash('sha256');
  const take = async (length: number) => {
    const bytes = await source.take(length);
    hash.update(bytes);
    return bytes;
  };
  if (!(await take(MAGIC.length)).equals(MAGIC)) throw damaged(path, NOT_OF_THIS_KIND);
  let count = 0;
  for (;;) {
    const length = (await take(LENGTH_BYTES)).readUInt32LE();
    if (length === 0) break;
    if (length > MAX_ENTRY_BYTES) throw damaged(path, `answer ${count} claims ${length} bytes`);
    const key = await take(KEY_BYTES);
    const answer = decodeEntry(await take(length));
    if (!answer) throw damaged(path, `answer ${count} is not what its checksum says`);
    yield { key, answer };
    count++;
  }
  const declared = (await take(LENGTH_BYTES)).readUInt32LE();
  if (declared !== count) throw damaged(path, `it holds ${count} answers and says ${declared}`);
  if (!(await source.take(KEY_BYTES)).equals(hash.digest())) throw damaged(path, 'its sha-256 is another');
}

/** Takes exact numbers of bytes out of a stream. */
class ByteReader {
  readonly #chunks: AsyncIterator<Buffer>;
  #held: Buffer = Buffer.alloc(0);
  #isUntouched = true;

  constructor(
    stream: AsyncIterable<Buffer>,
    private readonly path: string,
  ) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  async take(length: number): Promise<Buffer> {
    while (this.#held.length < length) {
      const next = await this.#chunks.next().catch((cause: unknown) => {
        throw damaged(
          this.path,
          this.#isUntouched && isOfZlib(cause) ? NOT_OF_THIS_KIND : asBbdError(cause).message,
          cause,
        );
      });
      if (next.done) throw damaged(this.path, this.#isUntouched ? NOT_OF_THIS_KIND : 'it ends in the middle');
      this.#held = Buffer.concat([this.#held, next.value]);
    }
    this.#isUntouched = false;
    const taken = this.#held.subarray(0, length);
    this.#held = this.#held.subarray(length);
    return taken;
  }
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(LENGTH_BYTES);
  bytes.writeUInt32LE(value);
  return bytes;
}

/** Its codes are Z_DATA_ERROR, Z_BUF_ERROR …; those of the file system begin with E. */
function isOfZlib(cause: unknown): boolean {
  return cause instanceof Error && 'code' in cause && String(cause.code).startsWith('Z_');
}

/** Not a loss of data of ours: the user named the file, and names another. */
function damaged(path: string, what: string, cause?: unknown): InvalidArgumentError {
  return new InvalidArgumentError(`${path} can't be taken: ${what}; nothing was imported`, {
    code: 'ANSWER_FILE',
    cause,
  });
}
