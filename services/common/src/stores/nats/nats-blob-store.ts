import { DiscardPolicy, StorageType } from '@nats-io/jetstream';
import type { StoredMsg } from '@nats-io/jetstream';
import { nanos, nuid } from '@nats-io/transport-node';
import { DataLossError, InvalidArgumentError, UnavailableError } from '../../errors.js';
import { decodeJson, encodeJson } from '../../json.js';
import { BLOB_TIME_GRAIN_MS, BlobCorruptError, BlobNotFoundError, sha256Hex } from '../blob-store.js';
import type { AgedBlob, BlobRef, BlobStore } from '../blob-store.js';
import { declareStream } from './declare-stream.js';
import { isWrongLastSequence } from './nats-errors.js';
import type { NatsLink } from './nats-link.js';
import { snapshot } from './ordered-messages.js';
import type { StreamLimits } from './stream-limits.js';

const SHA256 = /^[0-9a-f]{64}$/;
/** Up to here the bytes travel inside the head: one message, one round trip. */
const MAX_INLINE_BYTES = 128 * 1024;
const CHUNK_BYTES = 512 * 1024;
const CHUNKS_IN_FLIGHT = 6;
const UPLOAD_HEADER = 'Bbd-Upload';
const HEAD_READS = 5;
/** Chunks without a head that are older belong to a writer that died. A living one gives up at half of it. */
export const ORPHAN_AGE_MS = 3_600_000;

/** What a head says about bytes that are not inside it. */
interface Upload {
  id: string;
  sizeBytes: number;
  chunks: number;
}

interface BlobMessage {
  data: Uint8Array;
  seq: number;
  /** The upload that a head names; empty where the bytes are inside it. */
  upload: string;
}

/**
 * Blobs in a JetStream stream: a head message by hash, written last and only where there is none, makes the blob
 * visible; larger bytes lie in chunks of the one upload that the head names. So neither a writer that dies, nor one that
 * races with another or with a deletion, is ever seen in part. (The object store of NATS replaces an object of the same
 * name, and deletes the chunks of the old one under its readers.)
 */
export class NatsBlobStore implements BlobStore {
  readonly #writing = new Map<string, Promise<void>>();

  private constructor(
    private readonly link: NatsLink,
    private readonly stream: string,
    private readonly prefix: string,
  ) {}

  static async open(link: NatsLink, namespace: string, limits: StreamLimits): Promise<NatsBlobStore> {
    const store = new NatsBlobStore(link, `${namespace}-blobs`, `${namespace}.blobs.`);
    await declareStream(link, {
      name: store.stream,
      subjects: [`${store.prefix}>`],
      storage: StorageType.File,
      discard: DiscardPolicy.New,
      max_bytes: limits.maxBytes,
      num_replicas: limits.replicas,
      duplicate_window: nanos(limits.duplicateWindowMs),
      // What is stored never changes: any replica may answer, and who doesn't have it yet is asked past.
      allow_direct: true,
    });
    return store;
  }

  async put(bytes: Uint8Array): Promise<BlobRef> {
    const sha256 = sha256Hex(bytes);
    const underWay = this.#writing.get(sha256);
    if (underWay) await underWay;
    else {
      const writing = this.#write(sha256, bytes);
      this.#writing.set(sha256, writing);
      try {
        await writing;
      } finally {
        this.#writing.delete(sha256);
      }
    }
    return { sha256, sizeBytes: bytes.length };
  }

  async get(sha256: string): Promise<Uint8Array> {
    for (let reads = 1; ; reads++) {
      const subject = this.#headOf(sha256);
      // A replica that lags behind would bring the same old head every time.
      const head = reads === 1 ? await this.#message(subject) : await this.#lastMessage(subject);
      if (!head) throw new BlobNotFoundError(sha256);
      const bytes = head.upload ? await this.#readChunks(sha256, decodeJson<Upload>(head.data)) : head.data;
      // Deleted, and perhaps written anew, while it was read.
      if (!bytes && reads < HEAD_READS && (await this.link.last(this.stream, this.#headOf(sha256)))?.seq !== head.seq) {
        continue;
      }
      if (!bytes) {
        throw new DataLossError(`blob ${sha256} has lost a part: delete it and resume the run to make it again`, {
          code: 'BLOB_CORRUPT',
        });
      }
      const found = sha256Hex(bytes);
      if (found !== sha256) throw new BlobCorruptError(sha256, found);
      return bytes;
    }
  }

  async has(sha256: string): Promise<boolean> {
    return (await this.link.counts(this.stream, this.#headOf(sha256))).size > 0;
  }

  async delete(sha256: string): Promise<void> {
    const head = await this.link.last(this.stream, this.#headOf(sha256));
    if (head) await this.#purgeUpTo(sha256, head);
  }

  async *list(): AsyncIterable<string> {
    for await (const { sha256 } of this.listAged()) yield sha256;
  }

  async *listAged(): AsyncIterable<AgedBlob> {
    const heads = `${this.prefix}head.*`;
    for (const { subject, atMs } of await snapshot(this.link, this.stream, heads, { headersOnly: true })) {
      yield { sha256: subject.slice(heads.length - 1), putAtMs: atMs };
    }
  }

  async deleteOlder(sha256: string, beforeMs: number): Promise<boolean> {
    const head = await this.link.last(this.stream, this.#headOf(sha256));
    if (!head) return true;
    if (head.time.getTime() >= beforeMs) return false;
    await this.#purgeUpTo(sha256, head);
    return !(await this.has(sha256));
  }

  async close(): Promise<void> {
    await Promise.allSettled(this.#writing.values());
  }

  /** Deletes chunks that no head names. */
  async sweep(minimumAgeMs: number): Promise<void> {
    const before = this.link.clock.nowMs() - minimumAgeMs;
    const uploads = new Map<string, { sha256: string; id: string }>();
    for (const { subject, atMs } of await snapshot(this.link, this.stream, `${this.prefix}chunk.>`, {
      headersOnly: true,
    })) {
      const [sha256, id] = subject.slice(`${this.prefix}chunk.`.length).split('.') as [string, string];
      if (atMs <= before) uploads.set(`${sha256}.${id}`, { sha256, id });
    }
    for (const { sha256, id } of uploads.values()) {
      const head = await this.link.last(this.stream, this.#headOf(sha256));
      if (head?.header.get(UPLOAD_HEADER) === id) continue;
      await this.link.purge(this.stream, this.#chunksOf(sha256, id, '*'));
    }
  }

  async #purgeUpTo(sha256: string, head: StoredMsg): Promise<void> {
    await this.link.purge(this.stream, this.#headOf(sha256), head.seq);
    const upload = head.header.get(UPLOAD_HEADER);
    if (!upload) return;
    // A head that was renewed just before names the same chunks; from now on none can, as its expectation fails.
    const renewed = await this.link.last(this.stream, this.#headOf(sha256));
    if (renewed?.header.get(UPLOAD_HEADER) === upload) return;
    await this.link.purge(this.stream, this.#chunksOf(sha256, upload, '*'));
  }

  /**
   * Notes that a blob was put again: it is no garbage for as long as a new one wouldn't be.
   * @returns whether it is there
   */
  async #renew(sha256: string): Promise<boolean> {
    const head = await this.link.last(this.stream, this.#headOf(sha256));
    if (!head) return false;
    if (this.link.clock.nowMs() - head.time.getTime() < BLOB_TIME_GRAIN_MS) return true;
    const upload = head.header.get(UPLOAD_HEADER);
    const headers: Record<string, string> = upload ? { [UPLOAD_HEADER]: upload } : {};
    if (!(await this.#publishHead(sha256, head.data, headers, head.seq))) return this.has(sha256);
    await this.link.purge(this.stream, this.#headOf(sha256), head.seq);
    return true;
  }

  async #write(sha256: string, bytes: Uint8Array): Promise<void> {
    if (await this.#renew(sha256)) return;
    if (bytes.length <= MAX_INLINE_BYTES) {
      await this.#publishHead(sha256, bytes, {});
      return;
    }
    const startedAtMs = this.link.clock.monotonicMs();
    const id = nuid.next();
    const chunks = Math.ceil(bytes.length / CHUNK_BYTES);
    await inTurn(chunks, async (chunk) => {
      const part = bytes.subarray(chunk * CHUNK_BYTES, (chunk + 1) * CHUNK_BYTES);
      await this.link.publish(`store a part of blob ${sha256}`, this.#chunksOf(sha256, id, String(chunk)), part);
    });
    if (this.link.clock.monotonicMs() - startedAtMs > ORPHAN_AGE_MS / 2) {
      throw new UnavailableError(`writing blob ${sha256} took too long: its first parts may be swept away, try again`);
    }
    const upload: Upload = { id, sizeBytes: bytes.length, chunks };
    const isFirst = await this.#publishHead(sha256, encodeJson(upload), { [UPLOAD_HEADER]: id });
    if (!isFirst) await this.link.purge(this.stream, this.#chunksOf(sha256, id, '*'));
  }

  /** @returns false where another writer was first */
  async #publishHead(
    sha256: string,
    data: Uint8Array,
    headers: Record<string, string>,
    lastSubjectSequence = 0,
  ): Promise<boolean> {
    try {
      const expect = { stream: this.stream, lastSubjectSequence };
      await this.link.publish(`store blob ${sha256}`, this.#headOf(sha256), data, { headers, expect });
      return true;
    } catch (thrown) {
      if (isWrongLastSequence(thrown)) return false;
      throw thrown;
    }
  }

  /** @returns undefined where a chunk is missing */
  async #readChunks(sha256: string, { id, sizeBytes, chunks }: Upload): Promise<Uint8Array | undefined> {
    const bytes = new Uint8Array(sizeBytes);
    let missing = false;
    await inTurn(chunks, async (chunk) => {
      const message = missing ? undefined : await this.#message(this.#chunksOf(sha256, id, String(chunk)));
      if (!message || chunk * CHUNK_BYTES + message.data.length > sizeBytes) missing = true;
      else bytes.set(message.data, chunk * CHUNK_BYTES);
    });
    return missing ? undefined : bytes;
  }

  /** As any replica has it: one that lags behind has an older one, or none, where the leader is asked. */
  async #message(subject: string): Promise<BlobMessage | undefined> {
    const query = { last_by_subj: subject };
    const found = await this.link.retrying(`read ${subject}`, () =>
      this.link.jsm.direct.getMessage(this.stream, query),
    );
    return found ? blobMessage(found) : this.#lastMessage(subject);
  }

  async #lastMessage(subject: string): Promise<BlobMessage | undefined> {
    const found = await this.link.last(this.stream, subject);
    return found ? blobMessage(found) : undefined;
  }

  #headOf(sha256: string): string {
    if (!SHA256.test(sha256)) {
      throw new InvalidArgumentError(`"${sha256}" names no blob: it takes 64 lower-case hexadecimal digits`);
    }
    return `${this.prefix}head.${sha256}`;
  }

  #chunksOf(sha256: string, uploadId: string, chunk: string): string {
    return `${this.prefix}chunk.${sha256}.${uploadId}.${chunk}`;
  }
}

function blobMessage({ data, seq, header }: StoredMsg): BlobMessage {
  return { data: new Uint8Array(data), seq, upload: header?.get(UPLOAD_HEADER) ?? '' };
}

/** Works on 0 … count-1, a few at a time. */
async function inTurn(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(CHUNKS_IN_FLIGHT, count) }, worker));
}
