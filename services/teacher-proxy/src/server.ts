import { randomInt, randomUUID } from 'node:crypto';
import { join } from 'node:path';
import {
  DEFAULT_DRAIN_MS,
  JobClient,
  RandomStream,
  observe,
  oldestOpenRunMs,
  runJobWorker,
  startGrpcServer,
  systemClock,
} from '@bbdistill/common';
import type { Clock, ListenOptions, Logger, Stores } from '@bbdistill/common';
import type { Environment } from './adapters/declared.js';
import { EmbeddedAnswerCache } from './cache.js';
import type { AnswerCache } from './cache.js';
import { LABEL_JOB, labelJobHandler } from './jobs.js';
import { Predecessors } from './predecessors.js';
import { TeacherProxy } from './proxy.js';
import type { TeacherConfig } from './registry.js';
import { teacherService } from './service.js';
import { SharedAnswerCache } from './shared-cache.js';

/** Shards in hand at once; how many calls are in flight is the teacher's own limit. */
export const DEFAULT_JOB_CONCURRENCY = 4;
const RANDOM_SEEDS = 2 ** 31;
const BACKLOG = 'shards that wait to be labelled or are being labelled, by whichever replica: each shows the same';

export interface TeacherProxyServerOptions extends ListenOptions {
  stores: Stores;
  /** The answer cache lies below it. */
  stateFolder: string;
  /** Registered at the start; those registered earlier stay. */
  teachers: readonly TeacherConfig[];
  logger: Logger;
  /** Default: the system's. */
  clock?: Clock;
  /** Where secrets are looked up. Default: process.env. */
  env?: Environment;
  /** Instead of the cache below `stateFolder`. */
  cache?: AnswerCache;
  /** Calls that this replica has open at one teacher at most. Default: as many as the teacher allows. */
  callConcurrency?: number;
  /** Of the answer cache, here and in the shared bucket each. Default 0: it may grow for ever. */
  cacheMaxBytes?: number;
  /** Shards in hand at once. Default {@link DEFAULT_JOB_CONCURRENCY}. */
  jobConcurrency?: number;
}

export interface RunningTeacherProxy {
  /** `host:port` that the server really listens on. */
  readonly address: string;
  /** Takes no new work, settles the calls under way, gives unfinished jobs back. */
  stop(): Promise<void>;
}

function openCache(options: TeacherProxyServerOptions): AnswerCache {
  const { stateFolder, stores, logger, clock = systemClock, cacheMaxBytes = 0 } = options;
  const neededSinceMs = () => oldestOpenRunMs(stores.state, clock.nowMs());
  const bound = cacheMaxBytes > 0 ? { maxBytes: cacheMaxBytes, neededSinceMs, clock, logger } : undefined;
  const local = new EmbeddedAnswerCache(join(stateFolder, 'answers'), bound);
  return stores.answers ? new SharedAnswerCache(local, stores.answers, logger, bound) : local;
}

/**
 * Starts the proxy: registers the teachers, recovers the calls of a process that died, serves and works on queued
 * shards.
 * @throws ConfigError where the address can't be had or is beyond loopback without authentication
 */
export async function startTeacherProxy(options: TeacherProxyServerOptions): Promise<RunningTeacherProxy> {
  const { stores, logger, clock = systemClock, env = process.env } = options;
  const cache = options.cache ?? openCache(options);
  const holder = randomUUID();
  const predecessors = new Predecessors(options.stateFolder);
  const proxy = new TeacherProxy({
    state: stores.state,
    cache,
    clock,
    random: new RandomStream(randomInt(RANDOM_SEEDS), 'backoff'),
    env,
    holder,
    soleUser: stores.soleSession !== undefined,
    marks: stores.marks,
    ...(options.callConcurrency !== undefined && { maxOpenCalls: options.callConcurrency }),
    logger,
  });
  try {
    for (const teacher of options.teachers) await proxy.registry.register(teacher);
    const gone = predecessors.enter(holder);
    await proxy.recover(gone);
    predecessors.forget(gone);
    const server = await startGrpcServer({
      ...options,
      services: [teacherService(proxy, new JobClient(stores, clock), stores.blobs)],
      logger,
      clock,
    });
    const stopping = new AbortController();
    const stopObserving = [
      proxy.observe(),
      observe('bbdistill_label_backlog_shards', { description: BACKLOG }, async () => [
        { value: await stores.queue.unacknowledged(LABEL_JOB) },
      ]),
    ];
    const worker = runJobWorker({
      stores,
      clock,
      handlers: { [LABEL_JOB]: labelJobHandler(proxy, stores.blobs, clock) },
      concurrency: options.jobConcurrency ?? DEFAULT_JOB_CONCURRENCY,
      signal: stopping.signal,
      onError: (error) => logger.error({ err: error, code: error.code }, 'a label job could not be worked on'),
    });
    return {
      address: server.address,
      async stop() {
        stopping.abort();
        await worker;
        for (const stop of stopObserving) stop();
        await server.drain(DEFAULT_DRAIN_MS);
        await proxy.close();
        predecessors.forget([holder]);
        if (!options.cache) await cache.close();
      },
    };
  } catch (error) {
    if (!options.cache) await cache.close();
    throw error;
  }
}
