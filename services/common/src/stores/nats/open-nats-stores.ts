import type { Clock } from '../../clock.js';
import { ConfigError, asBbdError } from '../../errors.js';
import { silentLogger } from '../../logger.js';
import type { Logger } from '../../logger.js';
import type { StoreHealth, Stores } from '../stores.js';
import { DEFAULT_ACK_WAIT_MS } from '../work-queue.js';
import { LoopAges } from './loop-ages.js';
import { NatsByteBucket } from './nats-byte-bucket.js';
import { NatsBlobStore, ORPHAN_AGE_MS } from './nats-blob-store.js';
import { NatsEventLog } from './nats-event-log.js';
import { NatsLink } from './nats-link.js';
import type { NatsCredentials } from './nats-link.js';
import { DELETE_MARK_AGE_MS, NatsStateStore } from './nats-state-store.js';
import { NatsWorkQueue } from './nats-work-queue.js';

export const DEFAULT_NATS_NAMESPACE = 'bbd';
export const DEFAULT_NATS_PATIENCE_MS = 30_000;
/** Unlimited: the account's and the server's limits hold. */
export const DEFAULT_MAX_STREAM_BYTES = -1;

const SWEEP_INTERVAL_MS = 900_000;
const NAMESPACE = /^[A-Za-z0-9_-]{1,32}$/;
const REPLICAS = [1, 3, 5];

export interface NatsStoresOptions {
  /** E.g. `['nats://nats:4222']`; more than one for a cluster. */
  servers: readonly string[];
  credentials?: NatsCredentials;
  /** Servers that keep each message: 1, 3 or 5. */
  replicas: number;
  clock: Clock;
  logger?: Logger;
  /** Begins the names of all streams, so that systems can share a NATS. Default {@link DEFAULT_NATS_NAMESPACE}. */
  namespace?: string;
  /** After which an unacknowledged message is delivered again. Default {@link DEFAULT_ACK_WAIT_MS}. */
  ackWaitMs?: number;
  /** How long an operation waits for a NATS that is away. Default {@link DEFAULT_NATS_PATIENCE_MS}. */
  patienceMs?: number;
  /** At which size a stream refuses writes. Default {@link DEFAULT_MAX_STREAM_BYTES} for each. */
  maxBytes?: Partial<Record<'blobs' | 'state' | 'queue' | 'events' | 'answers', number>>;
}

export interface NatsStores extends Stores {
  health(): StoreHealth;
}

/**
 * All stores in NATS JetStream, over one connection that reconnects for ever. Streams are made where they aren't there.
 * @throws UnavailableError where no server answers within the patience
 * @throws ConfigError where the server can't have the streams so
 */
export async function openNatsStores(options: NatsStoresOptions): Promise<NatsStores> {
  const { clock, replicas, logger = silentLogger, namespace = DEFAULT_NATS_NAMESPACE } = options;
  const patienceMs = options.patienceMs ?? DEFAULT_NATS_PATIENCE_MS;
  check(options, namespace);
  const link = await NatsLink.open({
    servers: options.servers,
    ...(options.credentials ? { credentials: options.credentials } : {}),
    clock,
    logger,
    patienceMs,
  });
  try {
    const loops = new LoopAges(clock);
    const limits = (store: 'blobs' | 'state' | 'queue' | 'events' | 'answers') => ({
      replicas,
      maxBytes: options.maxBytes?.[store] ?? DEFAULT_MAX_STREAM_BYTES,
      // A publish may be repeated until the patience is over, and a little later where the server is slow.
      duplicateWindowMs: 4 * patienceMs,
    });
    const ackWaitMs = options.ackWaitMs ?? DEFAULT_ACK_WAIT_MS;
    const [blobs, state, queue, events, answers] = await Promise.all([
      NatsBlobStore.open(link, namespace, limits('blobs')),
      NatsStateStore.open(link, loops, `${namespace}-state`, limits('state')),
      NatsWorkQueue.open(link, loops, namespace, limits('queue'), ackWaitMs),
      NatsEventLog.open(link, loops, namespace, limits('events')),
      NatsByteBucket.open(link, namespace, 'answers', limits('answers')),
    ]);
    void sweepOnAndOn(link, blobs, state);
    let closing: Promise<void> | undefined;
    const close = async () => {
      await blobs.close();
      await link.close();
    };
    return {
      blobs,
      state,
      queue,
      events,
      answers,
      health: () => ({ connected: link.isConnected, oldestLoop: loops.oldest() }),
      close: () => (closing ??= close()),
    };
  } catch (error) {
    await link.close();
    throw error;
  }
}

function check({ servers, replicas }: NatsStoresOptions, namespace: string): void {
  if (servers.length === 0) throw new ConfigError('no NATS server is named: give at least one, e.g. nats://nats:4222');
  if (!REPLICAS.includes(replicas)) throw new ConfigError(`${replicas} replicas can't be kept: choose 1, 3 or 5`);
  if (!isNamespace(namespace)) {
    throw new ConfigError(`"${namespace}" is no namespace: it takes 1 to 32 letters, digits, "-" and "_"`);
  }
}

/** Whether the names of streams may begin with it. */
export function isNamespace(text: string): boolean {
  return NAMESPACE.test(text);
}

/** Takes away what killed writers and deleted records leave. Any number of processes may do so at once. */
async function sweepOnAndOn(link: NatsLink, blobs: NatsBlobStore, state: NatsStateStore): Promise<void> {
  while (!link.closing.aborted) {
    await link.clock.sleep(SWEEP_INTERVAL_MS, link.closing).catch(() => undefined);
    if (link.closing.aborted) return;
    try {
      await blobs.sweep(ORPHAN_AGE_MS);
      await state.sweep(DELETE_MARK_AGE_MS);
    } catch (thrown) {
      link.logger.warn({ err: asBbdError(thrown) }, 'could not sweep the NATS streams: trying again later');
    }
  }
}
