import type { Database, RootDatabase } from 'lmdb';
import type { Clock } from '../../clock.js';
import { InvalidArgumentError } from '../../errors.js';
import { JointSignal } from '../../joint-signal.js';
import type { ConsumeOptions, Delivery, QueueMessage, WorkQueue } from '../work-queue.js';
import { storing } from './storage-errors.js';

const MAX_ID_CHARACTERS = 256;

interface StoredMessage {
  kind: string;
  id: string;
  trace?: QueueMessage['trace'];
  /** Deliveries so far. */
  attempts: number;
  /** Wall clock: it has to mean something after a restart. */
  notBeforeMs: number;
}

interface Message extends StoredMessage {
  sequence: number;
  /** Which delivery holds it and until when (monotonic); absent while it waits. */
  hold?: { attempt: number; untilMs: number };
}

/**
 * A queue in this process, with a journal in lmdb: what was published and not acknowledged is delivered again after a
 * restart. Messages of a kind go out in the order they were published.
 */
export class LmdbWorkQueue implements WorkQueue {
  readonly #journal: Database<StoredMessage, number>;
  readonly #messages = new Map<number, Message>();
  readonly #wakers = new Set<() => void>();
  readonly #closed = new AbortController();
  #nextSequence = 1;

  constructor(
    root: RootDatabase,
    private readonly folder: string,
    private readonly clock: Clock,
    readonly ackWaitMs: number,
  ) {
    this.#journal = root.openDB<StoredMessage, number>({ name: 'queue', encoding: 'json' });
    for (const { key, value } of this.#journal.getRange()) {
      this.#messages.set(key, { ...value, sequence: key });
      this.#nextSequence = key + 1;
    }
  }

  async publish({ kind, id, trace }: QueueMessage): Promise<void> {
    if (kind === '' || id === '' || id.length > MAX_ID_CHARACTERS) {
      throw new InvalidArgumentError(
        `a message of kind "${kind}" can't have the id "${id}": it takes 1 to ${MAX_ID_CHARACTERS} characters`,
      );
    }
    const sequence = this.#nextSequence++;
    const stored: StoredMessage = { kind, id, ...(trace && { trace }), attempts: 0, notBeforeMs: 0 };
    await storing(this.folder, () => this.#journal.put(sequence, stored));
    this.#messages.set(sequence, { ...stored, sequence });
    this.#wake();
  }

  async *consume(options: ConsumeOptions): AsyncIterable<Delivery> {
    using until = new JointSignal(options.signal, this.#closed.signal);
    const { signal } = until;
    const inHand = new Set<Message>();
    while (!signal.aborted) {
      for (const message of inHand) if (!this.#isHeld(message)) inHand.delete(message);
      const message = inHand.size < options.concurrency ? this.#due(options.kinds) : undefined;
      if (!message) {
        await this.#change(signal);
        continue;
      }
      inHand.add(message);
      yield this.#deliver(message, () => inHand.delete(message));
    }
  }

  async waiting(kind: string): Promise<number> {
    let count = 0;
    for (const message of this.#messages.values()) if (message.kind === kind && !this.#isHeld(message)) count++;
    return count;
  }

  async unacknowledged(kind: string): Promise<number> {
    return [...this.#messages.values()].filter((message) => message.kind === kind).length;
  }

  async close(): Promise<void> {
    this.#closed.abort();
  }

  #deliver(message: Message, letGo: () => void): Delivery {
    const attempt = ++message.attempts;
    message.hold = { attempt, untilMs: this.clock.monotonicMs() + this.ackWaitMs };
    // Not waited for: what counts is that the message is there, and the count is only for people and poison.
    this.#record(message).catch(() => undefined);
    const isMine = () => message.hold?.attempt === attempt;
    return {
      message: { kind: message.kind, id: message.id, ...(message.trace && { trace: message.trace }) },
      attempt,
      ack: async () => {
        // The work is done, whoever holds the message by now.
        await storing(this.folder, () => this.#journal.remove(message.sequence));
        this.#messages.delete(message.sequence);
        letGo();
        this.#wake();
      },
      nak: async (delayMs) => {
        if (!isMine()) return;
        message.notBeforeMs = this.clock.nowMs() + delayMs;
        await this.#record(message);
        delete message.hold;
        letGo();
        this.#wake();
      },
      working: async () => {
        if (isMine() && this.#isHeld(message)) {
          message.hold = { attempt, untilMs: this.clock.monotonicMs() + this.ackWaitMs };
        }
      },
    };
  }

  async #record({ sequence, hold: _hold, ...stored }: Message): Promise<void> {
    await storing(this.folder, () => this.#journal.put(sequence, stored));
  }

  #isHeld(message: Message): boolean {
    return message.hold !== undefined && message.hold.untilMs > this.clock.monotonicMs();
  }

  #due(kinds: readonly string[]): Message | undefined {
    for (const message of this.#messages.values()) {
      if (!kinds.includes(message.kind) || this.#isHeld(message)) continue;
      if (message.notBeforeMs <= this.clock.nowMs()) return message;
    }
    return undefined;
  }

  /** Waits until a message may have become due: one was published, let go, or its time has come. */
  async #change(signal: AbortSignal): Promise<void> {
    const waitMs = this.#nextDueInMs();
    const stop = new AbortController();
    const woken = new Promise<void>((resolve) => {
      this.#wakers.add(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true, signal: stop.signal });
      stop.signal.addEventListener('abort', () => this.#wakers.delete(resolve), { once: true });
    });
    const timer = waitMs === undefined ? [] : [this.clock.sleep(waitMs, stop.signal).catch(() => undefined)];
    await Promise.race([woken, ...timer]);
    stop.abort();
  }

  #nextDueInMs(): number | undefined {
    let earliest: number | undefined;
    for (const message of this.#messages.values()) {
      const dueInMs = Math.max(
        message.hold ? message.hold.untilMs - this.clock.monotonicMs() : 0,
        message.notBeforeMs - this.clock.nowMs(),
      );
      if (dueInMs > 0 && (earliest === undefined || dueInMs < earliest)) earliest = dueInMs;
    }
    // Timers may fire a fraction early.
    return earliest === undefined ? undefined : Math.ceil(earliest) + 1;
  }

  #wake(): void {
    for (const wake of this.#wakers) wake();
  }
}
