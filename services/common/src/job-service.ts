import type { Clock } from './clock.js';
import { startGrpcServer } from './grpc/server.js';
import type { ListenOptions } from './grpc/server.js';
import type { ServiceImplementation } from './grpc/handlers.js';
import { JobClient, runJobWorker } from './jobs.js';
import type { JobContext } from './job-context.js';
import type { JobWorkerOptions } from './jobs.js';
import type { Logger } from './logger.js';
import type { Stores } from './stores/stores.js';

export const DEFAULT_DRAIN_MS = 5_000;

export interface JobServiceOptions {
  stores: Stores;
  clock: Clock;
  logger: Logger;
  listen: ListenOptions;
  handlers: JobWorkerOptions['handlers'];
  /** Jobs in hand at once. */
  jobConcurrency: number;
  /** @param jobsRunning how many jobs are in hand now */
  service: (jobs: JobClient, jobsRunning: () => number) => ServiceImplementation;
}

export interface RunningService {
  /** `host:port` that the server really listens on. */
  readonly address: string;
  /** Takes no new work, gives unfinished jobs back, ends the calls under way. */
  stop(): Promise<void>;
}

/**
 * A gRPC service together with the worker of its queued jobs.
 * @throws ConfigError where the address can't be had or is beyond loopback without authentication
 */
export async function startJobService(options: JobServiceOptions): Promise<RunningService> {
  const { stores, clock, logger, listen } = options;
  let jobsRunning = 0;
  const counted = (handler: JobHandlerOfAnyKind) => async (request: never, context: JobContext) => {
    jobsRunning++;
    try {
      return await handler(request, context);
    } finally {
      jobsRunning--;
    }
  };
  const server = await startGrpcServer({
    ...listen,
    services: [options.service(new JobClient(stores, clock), () => jobsRunning)],
    logger,
    clock,
    stores,
  });
  const kinds = Object.keys(options.handlers);
  const stopping = new AbortController();
  const worker = runJobWorker({
    stores,
    clock,
    handlers: Object.fromEntries(kinds.map((kind) => [kind, counted(options.handlers[kind]!)])),
    concurrency: options.jobConcurrency,
    signal: stopping.signal,
    onError: (error) => logger.error({ err: error, code: error.code, kinds }, 'a job could not be worked on'),
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

type JobHandlerOfAnyKind = JobWorkerOptions['handlers'][string];
