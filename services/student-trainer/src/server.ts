import { createRequire } from 'node:module';
import { startJobService, systemClock } from '@bbdistill/common';
import type { Clock, ListenOptions, Logger, RunningService, Stores } from '@bbdistill/common';
import { DEFAULT_TRAINING_THREADS, chooseEngine, threadsFault } from '@bbdistill/compute';
import type { EngineName, GpuWish } from '@bbdistill/compute';
import { trainerJobs } from './jobs.js';
import { trainerService } from './service.js';
import type { TrainerTasks } from './tasks.js';
import { DEFAULT_CHECKPOINT_INTERVAL_MS } from './train.js';
import { tasksInWorkerThreads } from './worker-tasks.js';

/** Jobs in hand at once, each on a core of its own: a short one need not wait for a long one. */
export const DEFAULT_JOB_CONCURRENCY = 2;

export interface TrainerServerOptions extends ListenOptions {
  stores: Stores;
  logger: Logger;
  /** What `auto` in a request means here. Default `auto`: the best that loads. */
  engine?: EngineName;
  /** Default `preferred`. */
  gpu?: GpuWish;
  /** What 0 in a request means here. Default {@link DEFAULT_TRAINING_THREADS}. */
  threads?: number;
  /** Default: the system's. */
  clock?: Clock;
  /** Default: each in a worker thread. */
  tasks?: TrainerTasks;
  /** Jobs in hand at once. Default {@link DEFAULT_JOB_CONCURRENCY}. */
  jobConcurrency?: number;
  /** Time between two checkpoints of a training. Default {@link DEFAULT_CHECKPOINT_INTERVAL_MS}. */
  checkpointIntervalMs?: number;
}

/**
 * Starts the student-trainer: checks the engine, serves and works on queued jobs.
 * @throws ConfigError where the address can't be had or is beyond loopback without authentication
 * @throws FailedPreconditionError where the engine can't be had
 */
export async function startStudentTrainer(options: TrainerServerOptions): Promise<RunningService> {
  const { stores, logger, clock = systemClock, engine = 'auto', gpu = 'preferred' } = options;
  const tasks = options.tasks ?? tasksInWorkerThreads;
  // Loaded once here, so that a missing engine or GPU stops the start and not the first job.
  const chosen = await chooseEngine(engine, gpu);
  const { threads = DEFAULT_TRAINING_THREADS } = options;
  if (threadsFault(chosen.name, threads) !== undefined) {
    logger.warn(
      { engine: chosen.name, threads },
      'this engine has threads of its own: the setting has no effect on it',
    );
  }
  return startJobService({
    stores,
    clock,
    logger,
    listen: options,
    handlers: trainerJobs({
      blobs: stores.blobs,
      state: stores.state,
      clock,
      tasks,
      engine: chosen.name,
      gpu,
      threads,
      checkpointIntervalMs: options.checkpointIntervalMs ?? DEFAULT_CHECKPOINT_INTERVAL_MS,
    }),
    jobConcurrency: options.jobConcurrency ?? DEFAULT_JOB_CONCURRENCY,
    service: (jobs, jobsRunning) =>
      trainerService({ jobs, engineDescription: chosen.description, version: VERSION, jobsRunning }),
  });
}

const VERSION = (createRequire(import.meta.url)('../package.json') as { version: string }).version;
