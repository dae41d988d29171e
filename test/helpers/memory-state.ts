import { KeyExistsError, RevisionMismatchError } from '@bbdistill/common';
import type { StateChange, StateEntry, StateStore } from '@bbdistill/common';

/** A StateStore in memory, for tests of what is above the stores. */
export class MemoryState implements StateStore {
  #revision = 0;
  readonly #entries = new Map<string, StateEntry>();
  readonly #watchers = new Set<(change: StateChange) => void>();
  /** Writes so far. */
  writes = 0;
  /** Called before each write; what it throws is what the writer gets. */
  beforeWrite: (key: string) => void | Promise<void> = () => undefined;

  async get(key: string): Promise<StateEntry | undefined> {
    return this.#entries.get(key);
  }

  async create(key: string, value: Uint8Array): Promise<number> {
    await this.beforeWrite(key);
    if (this.#entries.has(key)) throw new KeyExistsError(key);
    return this.#put(key, value);
  }

  async update(key: string, value: Uint8Array, expectedRevision: number): Promise<number> {
    await this.beforeWrite(key);
    this.#expect(key, expectedRevision);
    return this.#put(key, value);
  }

  async delete(key: string, expectedRevision: number): Promise<void> {
    await this.beforeWrite(key);
    this.#expect(key, expectedRevision);
    this.#entries.delete(key);
    this.#tell({ type: 'delete', key, revision: ++this.#revision });
  }

  async *list(prefix: string): AsyncIterable<StateEntry> {
    const keys = [...this.#entries.keys()].filter((key) => key.startsWith(prefix)).sort();
    for (const key of keys) {
      const entry = this.#entries.get(key);
      if (entry) yield entry;
    }
  }

  async *watch(prefix: string, signal: AbortSignal): AsyncIterable<StateChange> {
    const waiting: StateChange[] = [];
    let wake: () => void = () => undefined;
    const watcher = (change: StateChange) => {
      waiting.push(change);
      wake();
    };
    const onAbort = () => wake();
    signal.addEventListener('abort', onAbort);
    this.#watchers.add(watcher);
    try {
      for await (const entry of this.list(prefix)) waiting.push({ type: 'put', entry });
      while (!signal.aborted) {
        const change = waiting.shift();
        if (!change) await new Promise<void>((resolve) => (wake = resolve));
        else if ((change.type === 'put' ? change.entry.key : change.key).startsWith(prefix)) yield change;
      }
    } finally {
      this.#watchers.delete(watcher);
      signal.removeEventListener('abort', onAbort);
    }
  }

  async *watchKey(key: string, signal: AbortSignal): AsyncIterable<StateChange> {
    for await (const change of this.watch(key, signal)) {
      if ((change.type === 'put' ? change.entry.key : change.key) === key) yield change;
    }
  }

  async close(): Promise<void> {
    this.#entries.clear();
  }

  #expect(key: string, expectedRevision: number): void {
    const found = this.#entries.get(key)?.revision;
    if (found !== expectedRevision) throw new RevisionMismatchError(key, expectedRevision, found);
  }

  #put(key: string, value: Uint8Array): number {
    this.writes++;
    const entry = { key, value, revision: ++this.#revision };
    this.#entries.set(key, entry);
    this.#tell({ type: 'put', entry });
    return entry.revision;
  }

  #tell(change: StateChange): void {
    for (const watcher of this.#watchers) watcher(change);
  }
}
