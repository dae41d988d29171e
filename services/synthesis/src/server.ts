import { createRequire } from 'node:module';
import { JobClient, runJobWorker, startGrpcServer, systemClock } from '@bbdistill/common';
import type { Clock, JobHandler, Logger, Stores, TokenVerifier } from '@bbdistill/common';
import { createEngine } from '@bbdistill/compute';
import type { EngineName, GpuWish } from '@bbdistill/compute';
import { synthesisJobs } from './jobs.js';
import { synthesisService } from './service.js';
import type { SynthesisTasks } from './tasks.js';
import { tasksInWorkerThreads } from './worker-tasks.js';

/** Jobs in hand at once, each on a core of its own: a short one need not wait for a long one. */
export const DEFAULT_JOB_CONCURRENCY = 2;
export const DEFAULT_DRAIN_MS = 5_000;

export interface SynthesisServerOptions {
  stores: Stores;
  /** `host:port`; port 0 takes any free one. */
  address: string;
  logger: Logger;
  /** What `auto` in a request means here. Default `auto`: the best that loads. */
  engine?: EngineName;
  /** Default `preferred`. */
  gpu?: GpuWish;
  /** Default: the system's. */
  clock?: Clock;
  /** Default: each in a worker thread. */
  tasks?: SynthesisTasks;
  /** Jobs in hand at once. Default {@link DEFAULT_JOB_CONCURRENCY}. */
  jobConcurrency?: number;
  auth?: TokenVerifier;
  /** Listen beyond loopback without `auth`. Default false. */
  allowInsecure?: boolean;
}

export interface RunningSynthesis {
  /** `host:port` that the server really listens on. */
  readonly address: string;
  /** Takes no new work, gives unfinished jobs back, ends the calls under way. */
  stop(): Promise<void>;
}

/**
 * Starts the synthesis service: checks the engine, serves and works on queued jobs.
 * @throws ConfigError where the address can't be had or is beyond loopback without authentication
 * @throws FailedPreconditionError where the engine can't be had
 */
export async function startSynthesis(options: SynthesisServerOptions): Promise<RunningSynthesis> {
  const { stores, logger, clock = systemClock, engine = 'auto', gpu = 'preferred' } = options;
  const tasks = options.tasks ?? tasksInWorkerThreads;
  // Loaded once here, so that a missing engine or GPU stops the start and not the first job.
  const { description } = await createEngine(engine, gpu);
  let jobsRunning = 0;
  const server = await startGrpcServer({
    address: options.address,
    services: [
      synthesisService({
        jobs: new JobClient(stores, clock),
        blobs: stores.blobs,
        tasks,
        engine,
        gpu,
        engineDescription: description,
        version: VERSION,
        jobsRunning: () => jobsRunning,
      }),
    ],
    logger,
    clock,
    ...(options.auth && { auth: options.auth }),
    ...(options.allowInsecure !== undefined && { allowInsecure: options.allowInsecure }),
  });
  const counted =
    <Request, Result>(handler: JobHandler<Request, Result>): JobHandler<Request, Result> =>
    async (request, context) => {
      jobsRunning++;
      try {
        return await handler(request, context);
      } finally {
        jobsRunning--;
      }
    };
  const { fit, generate, mix } = synthesisJobs({ blobs: stores.blobs, clock, tasks, engine, gpu });
  const stopping = new AbortController();
  const worker = runJobWorker({
    stores,
    clock,
    handlers: { fit: counted(fit), generate: counted(generate), mix: counted(mix) },
    concurrency: options.jobConcurrency ?? DEFAULT_JOB_CONCURRENCY,
    signal: stopping.signal,
    onError: (error) => logger.error({ err: error, code: error.code }, 'a synthesis job could not be worked on'),
  });
  return {
    address: server.address,
    async stop() {
      stopping.abort();
      await worker;
      await server.drain(DEFAULT_DRAIN_MS);
    },
  };
}

const VERSION = (createRequire(import.meta.url)('../package.json') as { version: string }).version;
