import type { Database, RootDatabase } from 'lmdb';
import { JointSignal } from '../../joint-signal.js';
import { KeyExistsError, RevisionMismatchError } from '../state-store.js';
import type { StateChange, StateEntry, StateStore } from '../state-store.js';
import { checkKey } from './keys.js';
import { Mailbox } from './mailbox.js';
import { storing } from './storage-errors.js';

const PAGE_ENTRIES = 500;
/** Above every character that a key may hold. */
const AFTER_ALL_KEYS = '\x7f';
const REVISION_LIMIT_KEY = 'revisionLimit';
/** Revisions reserved at once: a restart goes on above all that may have been given. */
const REVISIONS_RESERVED = 100_000;

/** Records in lmdb; a record's revision is its lmdb version. Writes of one event-loop turn share a commit. */
export class LmdbStateStore implements StateStore {
  readonly #records: Database<Buffer, string>;
  readonly #meta: Database<number, string>;
  readonly #watchers = new Set<(change: StateChange) => void>();
  readonly #closed = new AbortController();
  #lastRevision: number;
  #revisionLimit: number;

  constructor(
    root: RootDatabase,
    private readonly folder: string,
  ) {
    this.#records = root.openDB<Buffer, string>({ name: 'state', encoding: 'binary', useVersions: true });
    this.#meta = root.openDB<number, string>({ name: 'state-meta', encoding: 'json' });
    this.#lastRevision = this.#meta.get(REVISION_LIMIT_KEY) ?? 0;
    this.#revisionLimit = this.#lastRevision;
  }

  async get(key: string): Promise<StateEntry | undefined> {
    checkKey(key);
    const found = this.#records.getEntry(key);
    return found && entryOf(key, found.value, found.version);
  }

  async create(key: string, value: Uint8Array): Promise<number> {
    const bytes = Buffer.from(value);
    const { found, revision } = await this.#change(key, undefined, (next) => this.#records.putSync(key, bytes, next));
    if (found !== undefined) throw new KeyExistsError(key);
    this.#tell({ type: 'put', entry: { key, value: new Uint8Array(bytes), revision } });
    return revision;
  }

  async update(key: string, value: Uint8Array, expectedRevision: number): Promise<number> {
    const bytes = Buffer.from(value);
    const { found, revision } = await this.#change(key, expectedRevision, (next) =>
      this.#records.putSync(key, bytes, next),
    );
    if (found !== expectedRevision) throw new RevisionMismatchError(key, expectedRevision, found);
    this.#tell({ type: 'put', entry: { key, value: new Uint8Array(bytes), revision } });
    return revision;
  }

  async delete(key: string, expectedRevision: number): Promise<void> {
    const { found, revision } = await this.#change(key, expectedRevision, () => this.#records.removeSync(key));
    if (found !== expectedRevision) throw new RevisionMismatchError(key, expectedRevision, found);
    this.#tell({ type: 'delete', key, revision });
  }

  async *list(prefix: string): AsyncIterable<StateEntry> {
    let last: string | undefined;
    for (;;) {
      // A page at a time: a reader that pauses must not pin an old state of the database.
      const page = [
        ...this.#records.getRange({
          ...(last === undefined ? prefix !== '' && { start: prefix } : { start: last, exclusiveStart: true }),
          end: prefix + AFTER_ALL_KEYS,
          versions: true,
          limit: PAGE_ENTRIES,
        }),
      ].map(({ key, value, version }) => entryOf(key, value, version));
      yield* page;
      if (page.length < PAGE_ENTRIES) return;
      last = page.at(-1)!.key;
    }
  }

  async *watch(prefix: string, signal: AbortSignal): AsyncIterable<StateChange> {
    const changes = new Mailbox<StateChange>();
    const tell = (change: StateChange) => {
      if (keyOf(change).startsWith(prefix)) changes.put(change);
    };
    // Changes are collected before the snapshot is read, so that none falls between.
    this.#watchers.add(tell);
    using until = new JointSignal(signal, this.#closed.signal);
    try {
      const listed = new Map<string, number>();
      for await (const entry of this.list(prefix)) {
        if (signal.aborted) return;
        listed.set(entry.key, entry.revision);
        yield { type: 'put', entry };
      }
      const listedUpTo = this.#lastRevision;
      for await (const change of changes.take(until.signal)) {
        const revision = revisionOf(change);
        if (revision > listedUpTo) listed.clear();
        else if (revision <= (listed.get(keyOf(change)) ?? 0)) continue;
        yield change;
      }
    } finally {
      this.#watchers.delete(tell);
    }
  }

  async *watchKey(key: string, signal: AbortSignal): AsyncIterable<StateChange> {
    if (signal.aborted) return;
    const changes = new Mailbox<StateChange>();
    const tell = (change: StateChange) => {
      if (keyOf(change) === key) changes.put(change);
    };
    // Changes are collected before the record is read, so that none falls between.
    this.#watchers.add(tell);
    using until = new JointSignal(signal, this.#closed.signal);
    try {
      const entry = await this.get(key);
      if (entry) yield { type: 'put', entry };
      for await (const change of changes.take(until.signal)) {
        if (revisionOf(change) > (entry?.revision ?? 0)) yield change;
      }
    } finally {
      this.#watchers.delete(tell);
    }
  }

  async close(): Promise<void> {
    this.#closed.abort();
  }

  /** Looks and writes in one step; writes nothing where another revision than the expected one is found. */
  async #change(
    key: string,
    expectedRevision: number | undefined,
    write: (revision: number) => void,
  ): Promise<{ found: number | undefined; revision: number }> {
    checkKey(key);
    try {
      return await storing(this.folder, () =>
        this.#records.transaction(() => {
          const found = this.#records.getEntry(key)?.version;
          if (found !== expectedRevision) return { found, revision: 0 };
          const revision = this.#nextRevision();
          write(revision);
          return { found, revision };
        }),
      );
    } catch (error) {
      // The reservation may have gone with the failed commit: the next write makes another.
      this.#revisionLimit = this.#lastRevision;
      throw error;
    }
  }

  #nextRevision(): number {
    if (this.#lastRevision >= this.#revisionLimit) {
      this.#revisionLimit = this.#lastRevision + REVISIONS_RESERVED;
      this.#meta.putSync(REVISION_LIMIT_KEY, this.#revisionLimit);
    }
    return ++this.#lastRevision;
  }

  #tell(change: StateChange): void {
    for (const watcher of this.#watchers) watcher(change);
  }
}

function entryOf(key: string, value: Buffer, version: number | undefined): StateEntry {
  return { key, value: new Uint8Array(value), revision: version! };
}

function keyOf(change: StateChange): string {
  return change.type === 'put' ? change.entry.key : change.key;
}

function revisionOf(change: StateChange): number {
  return change.type === 'put' ? change.entry.revision : change.revision;
}
