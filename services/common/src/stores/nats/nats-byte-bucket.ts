import { DiscardPolicy, StorageType } from '@nats-io/jetstream';
import type { CompletionResult, StoredMsg } from '@nats-io/jetstream';
import type { BucketValue, ByteBucket } from '../byte-bucket.js';
import { declareStream } from './declare-stream.js';
import type { NatsLink } from './nats-link.js';
import type { StreamLimits } from './stream-limits.js';

/** Keys of one request for the last messages of many subjects; the server takes 1024. */
const KEYS_PER_REQUEST = 512;
/** Far below what a server buffers for a connection (64 MiB) before it cuts it off as too slow. */
const BYTES_PER_REQUEST = 4 * 1024 * 1024;
const SINGLE_READS_AT_ONCE = 64;

/** The last message of each subject of a stream: the subject is the key, the message the value. */
export class NatsByteBucket implements ByteBucket {
  readonly #stream: string;
  #isBatched = true;

  private constructor(
    private readonly link: NatsLink,
    private readonly prefix: string,
    name: string,
    private readonly replicas: number,
  ) {
    this.#stream = name;
  }

  static async open(link: NatsLink, namespace: string, name: string, limits: StreamLimits): Promise<NatsByteBucket> {
    const bucket = new NatsByteBucket(link, `${namespace}.${name}.`, `${namespace}-${name}`, limits.replicas);
    await declareStream(link, {
      name: bucket.#stream,
      subjects: [`${bucket.prefix}*`],
      storage: StorageType.File,
      max_msgs_per_subject: 1,
      discard: DiscardPolicy.New,
      max_bytes: limits.maxBytes,
      num_replicas: limits.replicas,
      // Many small writes: to remember the last moments' is enough to know a repeated one.
      duplicate_window: 120e9,
      allow_direct: true,
    });
    return bucket;
  }

  async getMany(keys: readonly Uint8Array[], fresh = false): Promise<(BucketValue | undefined)[]> {
    if (keys.length === 0) return [];
    const subjects = keys.map((key) => this.#subject(key));
    const found = new Map<string, BucketValue>();
    // With several servers, any of them answers direct reads, and it may lag behind: only the leader has seen all.
    if ((fresh && this.replicas > 1) || !this.#isBatched) {
      await this.#readOneByOne(subjects, found);
    } else {
      const requests: Promise<void>[] = [];
      for (let at = 0; at < subjects.length; at += KEYS_PER_REQUEST) {
        requests.push(this.#readBatch(subjects.slice(at, at + KEYS_PER_REQUEST), found));
      }
      await Promise.all(requests);
    }
    return subjects.map((subject) => found.get(subject));
  }

  async putMany(entries: readonly { key: Uint8Array; value: Uint8Array }[]): Promise<void> {
    await Promise.all(entries.map(({ key, value }) => this.link.publish('store an answer', this.#subject(key), value)));
  }

  async bytes(): Promise<number> {
    return (await this.#state()).bytes;
  }

  async dropOldest(beforeMs: number, toBytes: number): Promise<number> {
    let { bytes, first_seq: first, last_seq: last } = await this.#state();
    if (bytes <= toBytes) return bytes;
    const needed = await this.#firstSince(beforeMs);
    while (bytes > toBytes && first < (needed ?? last + 1)) {
      // Half of the way at a time: values that were replaced leave gaps, so that numbers say little of bytes.
      const step = Math.max(1, Math.ceil(((last - first + 1) * (1 - toBytes / bytes)) / 2));
      const seq = Math.min(first + step, needed ?? last + 1);
      await this.link.retrying('drop answers', () => this.link.jsm.streams.purge(this.#stream, { seq }));
      ({ bytes, first_seq: first, last_seq: last } = await this.#state());
    }
    return bytes;
  }

  async #state() {
    return (await this.link.retrying('read the size of the answers', () => this.link.jsm.streams.info(this.#stream)))
      .state;
  }

  /** Number of the first message that was stored then or later. */
  async #firstSince(sinceMs: number): Promise<number | undefined> {
    if (sinceMs === Infinity) return undefined;
    const query = { start_time: new Date(Math.max(0, sinceMs)) };
    const message = await this.link.retrying('read an answer', () =>
      this.link.jsm.direct.getMessage(this.#stream, query),
    );
    return message?.seq;
  }

  async #readBatch(subjects: string[], found: Map<string, BucketValue>): Promise<void> {
    let left = 0;
    try {
      left = await this.link.retrying('read answers', () => this.#readOnce(subjects, found));
      if (left === 0) return;
    } catch (thrown) {
      if (isNoResults(thrown)) return;
      if (isBatchUnknown(thrown)) this.#isBatched = false;
      else if (!isUnreadable(thrown)) throw thrown;
    }
    const rest = subjects.filter((subject) => !found.has(subject));
    if (left > 0 && rest.length < subjects.length) await this.#readBatch(rest, found);
    else await this.#readOneByOne(rest, found);
  }

  /** @returns how many messages were too many bytes for one answer, and are there beside those that came */
  async #readOnce(subjects: string[], found: Map<string, BucketValue>): Promise<number> {
    if (subjects.length === 0) return 0;
    return new Promise<number>((resolve, reject) => {
      let left = 0;
      const options = {
        multi_last: subjects,
        max_bytes: BYTES_PER_REQUEST,
        // Where its answer is iterated over instead, the library keeps each subscription for five seconds.
        callback: (done: CompletionResult | null, { subject, data, time, pending }: StoredMsg) => {
          if (done?.err) return reject(done.err);
          if (done) return resolve(left);
          found.set(subject, { value: data, putAtMs: time.getTime() });
          left = pending;
        },
      };
      this.link.jsm.direct.getLastMessagesFor(this.#stream, options).catch(reject);
    });
  }

  async #readOneByOne(subjects: readonly string[], found: Map<string, BucketValue>): Promise<void> {
    const left = subjects.values();
    const readers = Array.from({ length: SINGLE_READS_AT_ONCE }, async () => {
      for (const subject of left) {
        const message = await this.link.last(this.#stream, subject);
        if (message) found.set(subject, { value: message.data, putAtMs: message.time.getTime() });
      }
    });
    await Promise.all(readers);
  }

  #subject(key: Uint8Array): string {
    return this.prefix + Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('base64url');
  }
}

/** None of the subjects has a message. */
const isNoResults = (thrown: unknown): boolean => says(thrown, /^no results$/i);

/** A message that is there could not be read, perhaps after others were: it says nothing of those that did not come. */
const isUnreadable = (thrown: unknown): boolean => says(thrown, /^message not found$/i);

/** A server before 2.11. */
const isBatchUnknown = (thrown: unknown): boolean => says(thrown, /batch direct require/);

function says(thrown: unknown, words: RegExp): boolean {
  return thrown instanceof Error && (words.test(thrown.message) || says(thrown.cause, words));
}
