import { DiscardPolicy, StorageType } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import { SequenceMismatchError } from '../event-log.js';
import type { EventLog, LoggedEvent, ReadOptions } from '../event-log.js';
import { declareStream } from './declare-stream.js';
import type { LoopAges } from './loop-ages.js';
import { isWrongLastSequence } from './nats-errors.js';
import type { NatsLink } from './nats-link.js';
import { tail } from './ordered-messages.js';
import type { StreamLimits } from './stream-limits.js';
import { subjectOfKey } from './subjects.js';

/** The event's place among its run's events; the stream's own sequence counts all runs together. */
const SEQUENCE_HEADER = 'Bbd-Sequence';

interface Last {
  /** Within the run. */
  sequence: number;
  /** Within the JetStream stream. */
  streamSequence: number;
}

/** Streams of which this process knows where they ended. */
const MAX_KNOWN_STREAMS = 1_024;

/** All runs' events in one JetStream stream, a subject a run. */
export class NatsEventLog implements EventLog {
  /** By subject what this process appended or saw last, the newest at the end; others may have appended since. */
  readonly #known = new Map<string, Last>();

  private constructor(
    private readonly link: NatsLink,
    private readonly loops: LoopAges,
    private readonly streamName: string,
    private readonly prefix: string,
  ) {}

  static async open(link: NatsLink, loops: LoopAges, namespace: string, limits: StreamLimits): Promise<NatsEventLog> {
    const log = new NatsEventLog(link, loops, `${namespace}-events`, `${namespace}.events.`);
    await declareStream(link, {
      name: log.streamName,
      subjects: [`${log.prefix}>`],
      storage: StorageType.File,
      discard: DiscardPolicy.New,
      max_bytes: limits.maxBytes,
      num_replicas: limits.replicas,
      duplicate_window: nanos(limits.duplicateWindowMs),
      deny_delete: true,
    });
    return log;
  }

  async append(stream: string, value: Uint8Array, expectedLastSequence: number): Promise<number> {
    const subject = this.#subjectOf(stream);
    const data = value.slice();
    const known = this.#known.get(subject);
    this.#known.delete(subject);
    // Whoever appends to a stream is nearly always the last who did, and needn't ask where it ends.
    if (known?.sequence === expectedLastSequence && (await this.#publish(stream, data, known)))
      return known.sequence + 1;
    const last = await this.#last(subject);
    if (last.sequence === expectedLastSequence && (await this.#publish(stream, data, last))) return last.sequence + 1;
    throw new SequenceMismatchError(stream, expectedLastSequence, (await this.#last(subject)).sequence);
  }

  /** @returns whether the stream still ended there */
  async #publish(stream: string, data: Uint8Array, last: Last): Promise<boolean> {
    const subject = this.#subjectOf(stream);
    const sequence = last.sequence + 1;
    try {
      const streamSequence = await this.link.publish(`append an event to ${stream}`, subject, data, {
        headers: { [SEQUENCE_HEADER]: String(sequence) },
        expect: { stream: this.streamName, lastSubjectSequence: last.streamSequence },
      });
      this.#remember(subject, { sequence, streamSequence });
      return true;
    } catch (thrown) {
      if (isWrongLastSequence(thrown)) return false;
      throw thrown;
    }
  }

  async lastSequence(stream: string): Promise<number> {
    const subject = this.#subjectOf(stream);
    const last = await this.#last(subject);
    this.#remember(subject, last);
    return last.sequence;
  }

  async *read(stream: string, options: ReadOptions = {}): AsyncIterable<LoggedEvent> {
    const subject = this.#subjectOf(stream);
    const signal = options.signal ?? new AbortController().signal;
    const from = options.fromSequence ?? 1;
    const isFromFirst = from <= 1;
    const end = options.follow && isFromFirst ? undefined : await this.#last(subject);
    const last = options.follow ? undefined : end;
    if (last !== undefined && last.sequence < Math.max(from, 1)) return;
    const start = isFromFirst ? 1 : await this.#startOf(subject, from, end?.streamSequence ?? 0);
    using loop = this.loops.start(`read ${stream}`);
    const isOver = async () => last !== undefined && !(await this.#has(subject, last.streamSequence));
    for await (const message of tail(this.link, this.streamName, subject, start, signal, loop.beat, isOver)) {
      // Of a stream that was deleted and begun anew since.
      if (last !== undefined && message.sequence > last.streamSequence) return;
      const sequence = Number(message.headers?.get(SEQUENCE_HEADER));
      if (sequence >= from) yield { sequence, atMs: message.atMs, value: message.data };
      if (message.sequence === last?.streamSequence) return;
    }
  }

  async deleteStream(stream: string): Promise<void> {
    this.#known.delete(this.#subjectOf(stream));
    await this.link.purge(this.streamName, this.#subjectOf(stream));
  }

  async close(): Promise<void> {
    // Followers end with the connection, which others use as well.
  }

  /**
   * Where in the JetStream stream a run's events from the wanted one on lie: found by halving, so that whoever comes
   * back to a long run isn't sent all of it again.
   * @param lastStreamSequence of the run's last event
   */
  async #startOf(subject: string, wanted: number, lastStreamSequence: number): Promise<number> {
    let low = 1;
    let high = lastStreamSequence + 1;
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      const next = await this.link.next(this.streamName, subject, middle);
      if (!next || Number(next.header.get(SEQUENCE_HEADER)) >= wanted) high = middle;
      else low = next.seq + 1;
    }
    return low;
  }

  #remember(subject: string, last: Last): void {
    this.#known.delete(subject);
    this.#known.set(subject, last);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= MAX_KNOWN_STREAMS) break;
      this.#known.delete(oldest);
    }
  }

  async #has(subject: string, streamSequence: number): Promise<boolean> {
    return (await this.link.next(this.streamName, subject, streamSequence))?.seq === streamSequence;
  }

  async #last(subject: string): Promise<Last> {
    const message = await this.link.last(this.streamName, subject);
    if (!message) return { sequence: 0, streamSequence: 0 };
    return { sequence: Number(message.header.get(SEQUENCE_HEADER)), streamSequence: message.seq };
  }

  #subjectOf(stream: string): string {
    return this.prefix + subjectOfKey(stream);
  }
}
