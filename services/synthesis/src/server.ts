import { createRequire } from 'node:module';
import { startJobService, systemClock } from '@bbdistill/common';
import type { Clock, ListenOptions, Logger, RunningService, Stores } from '@bbdistill/common';
import { chooseEngine } from '@bbdistill/compute';
import type { EngineName, GpuWish } from '@bbdistill/compute';
import { synthesisJobs } from './jobs.js';
import { synthesisService } from './service.js';
import type { SynthesisTasks } from './tasks.js';
import { tasksInWorkerThreads } from './worker-tasks.js';

/** Jobs in hand at once, each on a core of its own: a short one need not wait for a long one. */
export const DEFAULT_JOB_CONCURRENCY = 2;

export interface SynthesisServerOptions extends ListenOptions {
  stores: Stores;
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
}

/**
 * Starts the synthesis service: checks the engine, serves and works on queued jobs.
 * @throws ConfigError where the address can't be had or is beyond loopback without authentication
 * @throws FailedPreconditionError where the engine can't be had
 */
export async function startSynthesis(options: SynthesisServerOptions): Promise<RunningService> {
  const { stores, logger, clock = systemClock, engine = 'auto', gpu = 'preferred' } = options;
  const tasks = options.tasks ?? tasksInWorkerThreads;
  // Loaded once here, so that a missing engine or GPU stops the start and not the first job.
  const chosen = await chooseEngine(engine, gpu);
  const shared = { blobs: stores.blobs, tasks, engine: chosen.name, gpu };
  return startJobService({
    stores,
    clock,
    logger,
    listen: options,
    handlers: synthesisJobs({ ...shared, clock }),
    jobConcurrency: options.jobConcurrency ?? DEFAULT_JOB_CONCURRENCY,
    service: (jobs, jobsRunning) =>
      synthesisService({ ...shared, jobs, engineDescription: chosen.description, version: VERSION, jobsRunning }),
  });
}

const VERSION = (createRequire(import.meta.url)('../package.json') as { version: string }).version;
