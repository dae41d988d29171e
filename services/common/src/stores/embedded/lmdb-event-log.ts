import type { Database, RootDatabase } from 'lmdb';
import type { Clock } from '../../clock.js';
import { JointSignal } from '../../joint-signal.js';
import { SequenceMismatchError } from '../event-log.js';
import type { EventLog, LoggedEvent, ReadOptions } from '../event-log.js';
import { checkKey } from './keys.js';
import { storing } from './storage-errors.js';

const PAGE_EVENTS = 500;

interface StoredEvent {
  atMs: number;
  value: Uint8Array;
}

/** Events in lmdb under [stream, sequence]. */
export class LmdbEventLog implements EventLog {
  readonly #events: Database<StoredEvent, [string, number]>;
  readonly #appended = new EventTarget();
  readonly #closed = new AbortController();

  constructor(
    root: RootDatabase,
    private readonly folder: string,
    private readonly clock: Clock,
  ) {
    this.#events = root.openDB<StoredEvent, [string, number]>({ name: 'events', encoding: 'msgpack' });
  }

  async append(stream: string, value: Uint8Array, expectedLastSequence: number): Promise<number> {
    checkKey(stream);
    const event: StoredEvent = { atMs: this.clock.nowMs(), value: Buffer.from(value) };
    const found = await storing(this.folder, () =>
      this.#events.transaction(() => {
        const last = this.#last(stream);
        if (last === expectedLastSequence) this.#events.putSync([stream, last + 1], event);
        return last;
      }),
    );
    if (found !== expectedLastSequence) throw new SequenceMismatchError(stream, expectedLastSequence, found);
    this.#appended.dispatchEvent(new Event(stream));
    return found + 1;
  }

  async lastSequence(stream: string): Promise<number> {
    checkKey(stream);
    return this.#last(stream);
  }

  async *read(stream: string, options: ReadOptions = {}): AsyncIterable<LoggedEvent> {
    checkKey(stream);
    using until = new JointSignal(this.#closed.signal, ...(options.signal ? [options.signal] : []));
    const { signal } = until;
    let next = Math.max(options.fromSequence ?? 1, 1);
    while (!signal.aborted) {
      const page = [...this.#events.getRange({ start: [stream, next], end: [stream, Infinity], limit: PAGE_EVENTS })];
      for (const { key, value } of page) {
        if (signal.aborted) return;
        yield { sequence: key[1], atMs: value.atMs, value: new Uint8Array(value.value) };
        next = key[1] + 1;
      }
      if (page.length > 0) continue;
      if (!options.follow) return;
      await this.#nextAppend(stream, signal);
    }
  }

  async deleteStream(stream: string): Promise<void> {
    checkKey(stream);
    await storing(this.folder, () =>
      this.#events.transaction(() => {
        for (const key of [...this.#events.getKeys({ start: [stream, 0], end: [stream, Infinity] })]) {
          this.#events.removeSync(key);
        }
      }),
    );
  }

  async close(): Promise<void> {
    this.#closed.abort();
  }

  #last(stream: string): number {
    const [key] = this.#events.getKeys({ start: [stream, Infinity], end: [stream, 0], reverse: true, limit: 1 });
    return key ? key[1] : 0;
  }

  /** No event can come between the read and this: both happen in one turn of the event loop. */
  async #nextAppend(stream: string, signal: AbortSignal): Promise<void> {
    await new Promise<void>((resolve) => {
      const done = () => {
        this.#appended.removeEventListener(stream, done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#appended.addEventListener(stream, done);
      signal.addEventListener('abort', done);
    });
  }
}
