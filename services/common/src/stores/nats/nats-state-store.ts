import { DiscardPolicy, StorageType } from '@nats-io/jetstream';
import type { StoredMsg } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { KeyExistsError, RevisionMismatchError } from '../state-store.js';
import type { StateChange, StateEntry, StateStore } from '../state-store.js';
import { declareStream } from './declare-stream.js';
import type { LoopAges } from './loop-ages.js';
import { isWrongLastSequence } from './nats-errors.js';
import type { NatsLink } from './nats-link.js';
import { KeyWatches } from './key-watches.js';
import { snapshot, tail } from './ordered-messages.js';
import type { StreamMessage } from './ordered-messages.js';
import type { StreamLimits } from './stream-limits.js';
import { filterOfPrefix, keyOfSubject, subjectOfKey } from './subjects.js';

/**
 * Revisions of a key that a watcher may lag behind before it misses the oldest of them (never the newest): the most
 * that a KV bucket may keep.
 */
const HISTORY = 64;
const OPERATION_HEADER = 'KV-Operation';
const DELETED = 'DEL';
/** After which the mark of a deleted key goes too. A watcher that was away for longer may miss the deletion. */
export const DELETE_MARK_AGE_MS = 3_600_000;

interface Marked {
  headers?: { get(name: string): string } | undefined;
}

/**
 * Records in a JetStream KV bucket: its stream's sequences are the revisions. The bucket's own layout is kept, so that
 * `nats kv` shows it; writes go to the stream itself, so that one that is sent again after a lost answer counts once.
 */
export class NatsStateStore implements StateStore {
  readonly #stream: string;
  readonly #prefix: string;
  readonly #keyWatches: KeyWatches;

  private constructor(
    private readonly link: NatsLink,
    private readonly loops: LoopAges,
    bucket: string,
  ) {
    this.#stream = `KV_${bucket}`;
    this.#prefix = `$KV.${bucket}.`;
    this.#keyWatches = new KeyWatches(link, loops, this.#stream, this.#prefix);
  }

  static async open(link: NatsLink, loops: LoopAges, bucket: string, limits: StreamLimits): Promise<NatsStateStore> {
    const store = new NatsStateStore(link, loops, bucket);
    await declareStream(link, {
      name: store.#stream,
      subjects: [`${store.#prefix}>`],
      storage: StorageType.File,
      max_msgs_per_subject: HISTORY,
      discard: DiscardPolicy.New,
      max_bytes: limits.maxBytes,
      num_replicas: limits.replicas,
      duplicate_window: nanos(limits.duplicateWindowMs),
      allow_rollup_hdrs: true,
      deny_delete: true,
      // Only the leader's answers count: a compare-and-set that starts from a follower's old record is lost.
      allow_direct: false,
    });
    return store;
  }

  async get(key: string): Promise<StateEntry | undefined> {
    const message = await this.#last(key);
    return message && !isMark(message.header) ? entryOf(key, message.data, message.seq) : undefined;
  }

  async create(key: string, value: Uint8Array, signal?: AbortSignal): Promise<number> {
    const data = value.slice();
    for (let expected = 0; ;) {
      const revision = await this.#write(key, data, expected, {}, signal);
      if (revision !== undefined) return revision;
      const found = await this.#last(key);
      if (found && !isMark(found.header)) throw new KeyExistsError(key);
      expected = found?.seq ?? 0;
    }
  }

  async update(key: string, value: Uint8Array, expectedRevision: number, signal?: AbortSignal): Promise<number> {
    return this.#replace(key, value.slice(), expectedRevision, {}, signal);
  }

  async delete(key: string, expectedRevision: number): Promise<void> {
    await this.#replace(key, new Uint8Array(), expectedRevision, { [OPERATION_HEADER]: DELETED });
  }

  async *list(prefix: string): AsyncIterable<StateEntry> {
    const { entries } = await this.#snapshot(prefix);
    yield* entries.sort((a, b) => (a.key < b.key ? -1 : 1));
  }

  async *watch(prefix: string, signal: AbortSignal): AsyncIterable<StateChange> {
    if (signal.aborted) return;
    using loop = this.loops.start(`watch ${prefix}`);
    const { entries, upTo } = await this.#snapshot(prefix);
    for (const entry of entries) {
      if (signal.aborted) return;
      yield { type: 'put', entry };
    }
    const filter = this.#prefix + filterOfPrefix(prefix);
    for await (const message of tail(this.link, this.#stream, filter, upTo + 1, signal, loop.beat)) {
      const key = this.#keyOf(message.subject);
      if (key.startsWith(prefix)) yield changeOf(key, message);
    }
  }

  async *watchKey(key: string, signal: AbortSignal): AsyncIterable<StateChange> {
    if (signal.aborted) return;
    using changes = await this.#keyWatches.open(key);
    const entry = await this.get(key);
    if (signal.aborted) return;
    if (entry) yield { type: 'put', entry };
    for await (const message of changes.take(signal)) {
      if (message.sequence > (entry?.revision ?? 0)) yield changeOf(key, message);
    }
  }

  async close(): Promise<void> {
    // Watches end with the connection, which others use as well.
  }

  /** Takes the marks of keys that were deleted so long ago away, with what the bucket still has of those keys. */
  async sweep(minimumAgeMs: number): Promise<void> {
    const before = this.link.clock.nowMs() - minimumAgeMs;
    for (const message of await snapshot(this.link, this.#stream, `${this.#prefix}>`, { headersOnly: true })) {
      if (!isMark(message.headers) || message.atMs > before) continue;
      await this.link.purge(this.#stream, message.subject, message.sequence);
    }
  }

  async #replace(
    key: string,
    data: Uint8Array,
    expectedRevision: number,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<number> {
    // To NATS, 0 means that there is no record.
    const revision = expectedRevision < 1 ? undefined : await this.#write(key, data, expectedRevision, headers, signal);
    if (revision !== undefined) return revision;
    throw new RevisionMismatchError(key, expectedRevision, (await this.get(key))?.revision);
  }

  /** @returns undefined where the key's last message is another one */
  async #write(
    key: string,
    data: Uint8Array,
    lastSubjectSequence: number,
    headers: Record<string, string> = {},
    signal?: AbortSignal,
  ): Promise<number | undefined> {
    const subject = this.#prefix + subjectOfKey(key);
    try {
      const expect = { stream: this.#stream, lastSubjectSequence };
      const options = { expect, headers, ...(signal && { signal }) };
      return await this.link.publish(`store the record ${key}`, subject, data, options);
    } catch (thrown) {
      if (isWrongLastSequence(thrown)) return undefined;
      throw thrown;
    }
  }

  async #last(key: string): Promise<StoredMsg | null> {
    return this.link.last(this.#stream, this.#prefix + subjectOfKey(key));
  }

  async #snapshot(prefix: string): Promise<{ entries: StateEntry[]; upTo: number }> {
    const found = new Map<string, StateEntry>();
    let upTo = 0;
    for (const message of await snapshot(this.link, this.#stream, this.#prefix + filterOfPrefix(prefix))) {
      upTo = Math.max(upTo, message.sequence);
      const key = this.#keyOf(message.subject);
      if (!key.startsWith(prefix)) continue;
      if (isMark(message.headers)) found.delete(key);
      else found.set(key, { key, value: message.data, revision: message.sequence });
    }
    return { entries: [...found.values()], upTo };
  }

  #keyOf(subject: string): string {
    return keyOfSubject(subject.slice(this.#prefix.length));
  }
}

function isMark(headers: Marked['headers']): boolean {
  const operation = headers?.get(OPERATION_HEADER);
  return operation === DELETED || operation === 'PURGE';
}

function changeOf(key: string, { headers, data, sequence }: StreamMessage): StateChange {
  if (isMark(headers)) return { type: 'delete', key, revision: sequence };
  return { type: 'put', entry: { key, value: data, revision: sequence } };
}

function entryOf(key: string, data: Uint8Array, revision: number): StateEntry {
  return { key, value: new Uint8Array(data), revision };
}
