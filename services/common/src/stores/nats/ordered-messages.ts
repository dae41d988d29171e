import { AckPolicy, DeliverPolicy } from '@nats-io/jetstream';
import type { ConsumerConfig } from '@nats-io/jetstream';
import { createInbox, nanos } from '@nats-io/transport-node';
import type { Msg, MsgHdrs } from '@nats-io/transport-node';
import { UnavailableError, asBbdError } from '../../errors.js';
import { JointSignal } from '../../joint-signal.js';
import type { NatsLink } from './nats-link.js';

/** A stored message as a consumer brings it. */
export interface StreamMessage {
  subject: string;
  data: Uint8Array;
  headers: MsgHdrs | undefined;
  sequence: number;
  atMs: number;
  /** Messages that match and come after it. */
  pending: number;
}

export interface SnapshotOptions {
  headersOnly?: boolean;
}

const HEARTBEAT_MS = 2_000;
/** Heartbeats missed before a silent consumer is taken for lost. */
const MAX_SILENCE_MS = 3 * HEARTBEAT_MS;
const INACTIVE_THRESHOLD_MS = 30_000;
const REBUILD_WAIT_MS = 100;
const MAX_REBUILD_WAIT_MS = 2_000;
/** Of a stream that lost its newest messages: how many may have been stored in their place before it is noticed. */
const STORED_SINCE_LOSS = 10_000;
const NANOSECONDS_PER_MILLISECOND = 1e6;
const ACK_TOKENS = 9;

/** A consumer ended early: its server went away, or a message is missing. */
class DeliveryInterruptedError extends Error {}

/**
 * The last message of every subject that matches, as they all were at one moment, by sequence. Every later message has
 * a sequence above the highest one here (0 where there is none).
 */
export async function snapshot(
  link: NatsLink,
  stream: string,
  filter: string,
  options: SnapshotOptions = {},
): Promise<StreamMessage[]> {
  const config = {
    deliver_policy: DeliverPolicy.LastPerSubject,
    ...(options.headersOnly ? { headers_only: true } : {}),
  };
  for (let waitMs = REBUILD_WAIT_MS; ; waitMs = Math.min(2 * waitMs, MAX_REBUILD_WAIT_MS)) {
    const messages: StreamMessage[] = [];
    try {
      for await (const message of deliver(link, stream, filter, config, neverAborted())) {
        if (message === 'nothing') return messages;
        messages.push(message);
        // What is written meanwhile follows what was there, so that this ends even under constant writes.
        if (messages.length >= message.atStart || message.pending === 0) return messages;
      }
    } catch (thrown) {
      if (!(thrown instanceof DeliveryInterruptedError)) throw asBbdError(thrown);
      link.logger.debug({ stream, filter, reason: thrown.message }, 'reading again');
    }
    await link.clock.sleep(waitMs);
  }
}

/**
 * Every message that matches from a sequence on, as it comes, without gap or repeat until the signal aborts. The
 * consumer is rebuilt behind the last message seen whenever the connection or the server was away.
 * @param beat called whenever the consumer is known to be alive
 * @param isOver asked whenever all that matches seems to have come: whether to end
 */
export async function* tail(
  link: NatsLink,
  stream: string,
  filter: string,
  fromSequence: number,
  stopped: AbortSignal,
  beat: () => void = () => undefined,
  isOver: () => Promise<boolean> = () => Promise.resolve(false),
): AsyncGenerator<StreamMessage, void, undefined> {
  using until = new JointSignal(stopped, link.closing);
  const { signal } = until;
  let next = fromSequence;
  let seen: StreamMessage | undefined;
  let isRebuilt = false;
  let waitMs = REBUILD_WAIT_MS;
  while (!signal.aborted) {
    try {
      const start = isRebuilt ? await startAgain(link, stream, next, seen) : next;
      isRebuilt = true;
      const config = { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: Math.max(1, start) };
      for await (const message of deliver(link, stream, filter, config, signal, beat)) {
        waitMs = REBUILD_WAIT_MS;
        if (message === 'nothing') {
          if (await isOver()) return;
          continue;
        }
        // From before what was lost.
        if (seen && message.sequence <= seen.sequence && message.atMs <= seen.atMs) continue;
        yield message;
        next = message.sequence + 1;
        seen = message;
      }
    } catch (thrown) {
      if (signal.aborted) return;
      if (!(thrown instanceof DeliveryInterruptedError || thrown instanceof UnavailableError)) throw asBbdError(thrown);
      link.logger.debug({ stream, filter, next, reason: thrown.message }, 'rebuilding a consumer');
    }
    if (!signal.aborted) await link.clock.sleep(waitMs, signal).catch(() => undefined);
    waitMs = Math.min(2 * waitMs, MAX_REBUILD_WAIT_MS);
  }
}

/**
 * A server that lost its newest messages in a power cut gives their numbers to others, and a consumer that starts behind
 * the end of the stream brings nothing until the numbers get there.
 */
async function startAgain(link: NatsLink, stream: string, next: number, seen?: StreamMessage): Promise<number> {
  const last = await link.lastSequence(stream);
  if (last + 1 >= next) return next;
  link.logger.warn({ stream, last, expected: next - 1 }, 'NATS has lost messages that it had acknowledged');
  return seen ? last + 1 - STORED_SINCE_LOSS : last + 1;
}

/**
 * What one push consumer brings until it ends; `nothing` first where nothing is there yet.
 * @throws DeliveryInterruptedError
 */
async function* deliver(
  link: NatsLink,
  stream: string,
  filter: string,
  config: Partial<ConsumerConfig>,
  signal: AbortSignal,
  beat: () => void = () => undefined,
): AsyncGenerator<(StreamMessage & { atStart: number }) | 'nothing', void, undefined> {
  if (signal.aborted) return;
  const inbox = createInbox();
  let queue: Msg[] = [];
  let heard = true;
  let interruption: Error | undefined;
  let wake = (): void => undefined;
  const interrupt = (why: string) => {
    interruption ??= new DeliveryInterruptedError(why);
    wake();
  };
  const subscription = link.nc.subscribe(inbox, {
    callback: (error, message) => {
      if (error) return interrupt(error.message);
      heard = true;
      beat();
      queue.push(message);
      wake();
    },
  });
  const stop = new AbortController();
  const onAbort = () => wake();
  signal.addEventListener('abort', onAbort);
  const stopListening = link.onRenewed(() => interrupt('the connection was renewed'));
  void watchSilence();
  let name: string | undefined;
  try {
    const info = await createConsumer();
    name = info.name;
    const atStart = info.num_pending;
    if (atStart === 0) yield 'nothing';
    for (let delivered = 0; !signal.aborted;) {
      if (interruption) throw interruption;
      const taken = queue;
      queue = [];
      for (const message of taken) {
        const turn = link.turns.pass();
        if (turn) await turn;
        if (signal.aborted) return;
        if (message.headers?.code === 100) {
          const stalled = message.headers.get('Nats-Consumer-Stalled');
          // Flow control: the server sends more once it knows that we have taken this much.
          if (message.reply) message.respond();
          else if (stalled) link.nc.publish(stalled);
          else if (Number(message.headers.get('Nats-Last-Consumer')) !== delivered) throw missing();
          else yield 'nothing';
          continue;
        }
        const parsed = parse(message);
        if (parsed.deliverySequence !== ++delivered) throw missing();
        yield { ...parsed, atStart };
      }
      if (queue.length === 0 && !signal.aborted && !interruption) {
        await new Promise<void>((resolve) => (wake = resolve));
      }
    }
  } finally {
    stop.abort();
    stopListening();
    signal.removeEventListener('abort', onAbort);
    subscription.unsubscribe();
    if (name !== undefined && !link.isClosed && !interruption) {
      // It goes by itself when nobody listens; sooner is kinder to the server.
      link.jsm.consumers.delete(stream, name).catch(() => undefined);
    }
  }

  async function createConsumer() {
    return link.retrying(`read ${filter}`, () =>
      link.jsm.consumers.add(stream, {
        ...config,
        filter_subject: filter,
        ack_policy: AckPolicy.None,
        deliver_subject: inbox,
        idle_heartbeat: nanos(HEARTBEAT_MS),
        flow_control: true,
        inactive_threshold: nanos(INACTIVE_THRESHOLD_MS),
        mem_storage: true,
        num_replicas: 1,
        max_deliver: 1,
      }),
    );
  }

  async function watchSilence(): Promise<void> {
    while (!stop.signal.aborted && !interruption) {
      await link.clock.sleep(MAX_SILENCE_MS, stop.signal).catch(() => undefined);
      if (!heard) interrupt('the consumer fell silent');
      heard = false;
    }
  }
}

function missing(): Error {
  return new DeliveryInterruptedError('a message is missing');
}

/** Reads what the server says about a delivery from its reply subject `$JS.ACK.…`. */
export function parseAckSubject(reply: string) {
  const tokens = reply.split('.');
  // Newer servers put domain and account hash after the first two tokens, and a random token at the end.
  const start = tokens.length > ACK_TOKENS ? 4 : 2;
  const [, , attempts, sequence, deliverySequence, timestampNs, pending] = tokens.slice(start);
  return {
    attempts: Number(attempts),
    sequence: Number(sequence),
    deliverySequence: Number(deliverySequence),
    atMs: Math.floor(Number(timestampNs) / NANOSECONDS_PER_MILLISECOND),
    pending: Number(pending),
  };
}

function parse(message: Msg): StreamMessage & { deliverySequence: number } {
  const { subject, headers } = message;
  return { subject, headers, data: new Uint8Array(message.data), ...parseAckSubject(message.reply ?? '') };
}

function neverAborted(): AbortSignal {
  return new AbortController().signal;
}
