import { AckPolicy, DiscardPolicy, RetentionPolicy, StorageType } from '@nats-io/jetstream';
import { nanos } from '@nats-io/transport-node';
import type { Msg } from '@nats-io/transport-node';
import { InvalidArgumentError } from '../../errors.js';
import { JointSignal } from '../../joint-signal.js';
import { decodeJson, encodeJson } from '../../json.js';
import type { ConsumeOptions, Delivery, QueueMessage, WorkQueue } from '../work-queue.js';
import { declareStream } from './declare-stream.js';
import type { LoopAges } from './loop-ages.js';
import { existsOtherwise, isConsumerMissing, isPassing, natsError } from './nats-errors.js';
import type { NatsLink } from './nats-link.js';
import { parseAckSubject } from './ordered-messages.js';
import type { StreamLimits } from './stream-limits.js';
import { tokenOf } from './subjects.js';

const MAX_ID_CHARACTERS = 256;
const FIRST_POLL_MS = 10;
/** New messages wake an idle consumer at once; what is delivered again is found by asking. */
const MAX_POLL_MS = 500;
const OUTAGE_POLL_MS = 1_000;
/** W3C Trace Context. */
const TRACE_HEADERS = ['traceparent', 'tracestate'];
const PULL_ONE = JSON.stringify({ batch: 1, no_wait: true });

/** A message in hand. */
interface Hold {
  untilMs: number;
}

/**
 * A JetStream work-queue stream with one durable pull consumer a kind. A consumer asks for a message only when it has
 * a free slot: what is fetched ahead would be given to another one while it waits.
 *
 * NATS doesn't tell a message in hand from one that waits for its next delivery. So holds are kept beside, in a stream
 * whose messages expire with the ack wait.
 */
export class NatsWorkQueue implements WorkQueue {
  readonly #stream: string;
  readonly #holdStream: string;

  private constructor(
    private readonly link: NatsLink,
    private readonly loops: LoopAges,
    private readonly namespace: string,
    readonly ackWaitMs: number,
  ) {
    this.#stream = `${namespace}-queue`;
    this.#holdStream = `${namespace}-holds`;
  }

  static async open(
    link: NatsLink,
    loops: LoopAges,
    namespace: string,
    limits: StreamLimits,
    ackWaitMs: number,
  ): Promise<NatsWorkQueue> {
    const queue = new NatsWorkQueue(link, loops, namespace, ackWaitMs);
    await declareStream(link, {
      name: queue.#stream,
      subjects: [`${namespace}.queue.*`],
      storage: StorageType.File,
      retention: RetentionPolicy.Workqueue,
      discard: DiscardPolicy.New,
      max_bytes: limits.maxBytes,
      num_replicas: limits.replicas,
      duplicate_window: nanos(limits.duplicateWindowMs),
    });
    await declareStream(link, {
      name: queue.#holdStream,
      subjects: [`${namespace}.holds.*.*`],
      // Not in memory: a single server forgets such a stream altogether when it starts again.
      storage: StorageType.File,
      max_msgs_per_subject: 1,
      max_age: nanos(ackWaitMs),
      num_replicas: limits.replicas,
      duplicate_window: nanos(Math.min(ackWaitMs, limits.duplicateWindowMs)),
    });
    return queue;
  }

  async publish({ kind, id, trace }: QueueMessage, signal?: AbortSignal): Promise<void> {
    if (kind === '' || id === '' || id.length > MAX_ID_CHARACTERS) {
      throw new InvalidArgumentError(
        `a message of kind "${kind}" can't have the id "${id}": it takes 1 to ${MAX_ID_CHARACTERS} characters`,
      );
    }
    const options = { ...(signal && { signal }), ...(trace && { headers: trace }) };
    await this.link.publish(`queue the job ${id}`, this.#subjectOf(kind), encodeJson({ kind, id }), options);
  }

  async *consume(options: ConsumeOptions): AsyncIterable<Delivery> {
    using until = new JointSignal(options.signal, this.link.closing);
    const { signal } = until;
    const inHand = new Set<Hold>();
    const waker = new Waker();
    const onAbort = () => waker.wake();
    signal.addEventListener('abort', onAbort);
    const subscriptions = options.kinds.map((kind) =>
      this.link.nc.subscribe(this.#subjectOf(kind), { callback: () => waker.wake() }),
    );
    const stopListening = this.link.onRenewed(() => waker.wake());
    using loop = this.loops.start(`consume ${options.kinds.join(', ')}`);
    const ready = new Set<string>();
    let kinds = [...options.kinds];
    let pollMs = FIRST_POLL_MS;
    try {
      while (!signal.aborted) {
        const now = this.link.clock.monotonicMs();
        for (const hold of inHand) if (hold.untilMs <= now) inHand.delete(hold);
        if (inHand.size >= options.concurrency) {
          loop.beat();
          await waker.wait(Math.min(...[...inHand].map((hold) => hold.untilMs)) - now, this.link);
          continue;
        }
        let message: Msg | undefined;
        const heldFromMs = now;
        try {
          for (const kind of kinds) {
            if (!ready.has(kind)) await this.#declareConsumer(kind);
            ready.add(kind);
            message = await this.#pull(kind);
            loop.beat();
            if (message) {
              kinds = [...kinds.filter((other) => other !== kind), kind];
              break;
            }
          }
        } catch (thrown) {
          if (signal.aborted) return;
          if (isConsumerMissing(thrown)) ready.clear();
          else if (!isPassing(thrown) && !isPassing((thrown as Error).cause)) throw natsError(thrown, 'fetch a job');
          this.link.logger.debug({ kinds, err: thrown }, 'fetching jobs again');
          await waker.wait(OUTAGE_POLL_MS, this.link);
          continue;
        }
        if (!message) {
          if (await waker.wait(pollMs, this.link)) pollMs = FIRST_POLL_MS;
          else pollMs = Math.min(2 * pollMs, MAX_POLL_MS);
          continue;
        }
        pollMs = FIRST_POLL_MS;
        if (signal.aborted) {
          message.respond('-NAK');
          return;
        }
        const hold: Hold = { untilMs: heldFromMs + this.ackWaitMs };
        inHand.add(hold);
        const letGo = () => {
          inHand.delete(hold);
          waker.wake();
        };
        yield await this.#deliver(message, hold, letGo);
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
      stopListening();
      for (const subscription of subscriptions) subscription.unsubscribe();
    }
  }

  async waiting(kind: string): Promise<number> {
    const token = tokenOf(kind);
    const [queued, held] = await Promise.all([
      this.link.counts(this.#stream, this.#subjectOf(kind)),
      this.link.counts(this.#holdStream, `${this.namespace}.holds.${token}.*`),
    ]);
    return Math.max(0, (queued.get(this.#subjectOf(kind)) ?? 0) - held.size);
  }

  async unacknowledged(kind: string): Promise<number> {
    const counts = await this.link.counts(this.#stream, this.#subjectOf(kind));
    return counts.get(this.#subjectOf(kind)) ?? 0;
  }

  async close(): Promise<void> {
    // Consumers end with the connection, which others use as well.
  }

  async #deliver(message: Msg, hold: Hold, letGo: () => void): Promise<Delivery> {
    const { kind, id } = decodeJson<QueueMessage>(message.data);
    const { attempts, sequence } = parseAckSubject(message.reply!);
    const holdSubject = `${this.namespace}.holds.${tokenOf(kind)}.${sequence}`;
    const answer = (what: string, word: string) =>
      this.link.retrying(what, () => this.link.request(message.reply!, word));
    const isMine = () => hold.untilMs > this.link.clock.monotonicMs();
    const keepHold = () => this.link.publish('note a job in hand', holdSubject, new Uint8Array());
    await keepHold();
    return {
      message: { kind, id, ...traceOf(message) },
      attempt: attempts,
      ack: async () => {
        // The work is done, whoever holds the message by now.
        await answer(`acknowledge the job ${id}`, '+ACK');
        await this.link.purge(this.#holdStream, holdSubject);
        letGo();
      },
      nak: async (delayMs) => {
        if (!isMine()) return;
        await answer(`give back the job ${id}`, `-NAK ${JSON.stringify({ delay: nanos(delayMs) })}`);
        await this.link.purge(this.#holdStream, holdSubject);
        letGo();
      },
      working: async () => {
        if (!isMine()) return;
        const fromMs = this.link.clock.monotonicMs();
        await Promise.all([answer(`keep the job ${id}`, '+WPI'), keepHold()]);
        hold.untilMs = fromMs + this.ackWaitMs;
      },
    };
  }

  /** @returns undefined where no message of the kind is due */
  async #pull(kind: string): Promise<Msg | undefined> {
    const message = await this.link.request(`$JS.API.CONSUMER.MSG.NEXT.${this.#stream}.${tokenOf(kind)}`, PULL_ONE);
    return message.reply?.startsWith('$JS.ACK.') ? message : undefined;
  }

  async #declareConsumer(kind: string): Promise<void> {
    const config = {
      durable_name: tokenOf(kind),
      filter_subject: this.#subjectOf(kind),
      ack_policy: AckPolicy.Explicit,
      ack_wait: nanos(this.ackWaitMs),
      max_deliver: -1,
      max_ack_pending: -1,
    };
    await this.link.retrying(`make the consumer of ${kind} jobs`, async () => {
      try {
        await this.link.jsm.consumers.add(this.#stream, config);
      } catch (thrown) {
        if (!existsOtherwise(thrown)) throw thrown;
        await this.link.jsm.consumers.update(this.#stream, config.durable_name, config);
      }
    });
  }

  #subjectOf(kind: string): string {
    return `${this.namespace}.queue.${tokenOf(kind)}`;
  }
}

/** Waits for a time or a call, whichever comes first; a call before the wait counts. */
class Waker {
  #woken = false;
  #wake = (): void => undefined;

  wake(): void {
    this.#woken = true;
    this.#wake();
  }

  /** @returns whether it was woken */
  async wait(durationMs: number, { clock }: NatsLink): Promise<boolean> {
    if (!this.#woken) {
      const stop = new AbortController();
      await Promise.race([
        new Promise<void>((resolve) => (this.#wake = resolve)),
        clock.sleep(Math.max(0, durationMs), stop.signal).catch(() => undefined),
      ]);
      stop.abort();
    }
    const woken = this.#woken;
    this.#woken = false;
    return woken;
  }
}

/** The trace that came in the message's headers; what else is there is NATS' own. */
function traceOf(message: Msg): Pick<QueueMessage, 'trace'> {
  const names = message.headers?.keys().filter((name) => TRACE_HEADERS.includes(name)) ?? [];
  return names.length === 0
    ? {}
    : { trace: Object.fromEntries(names.map((name) => [name, message.headers!.get(name)])) };
}
