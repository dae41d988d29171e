import { randomUUID } from 'node:crypto';
import {
  DEFAULT_DRAIN_MS,
  JobClient,
  connect,
  observeWaitingJobs,
  startGrpcServer,
  systemClock,
} from '@bbdistill/common';
import type { ClientTlsFiles, Clock, ListenOptions, Logger, Stores } from '@bbdistill/common';
import { DatasetStore } from './datasets.js';
import { RunDriver } from './driver.js';
import { blobGatherer } from './evaluation-shards.js';
import { finishRun } from './finish.js';
import {
  DEFAULT_GARBAGE_AGE_MS,
  DEFAULT_GARBAGE_INTERVAL_MS,
  DEFAULT_RUN_RETENTION_MS,
  collectOnAndOn,
} from './garbage.js';
import { RecentReports } from './recent-reports.js';
import { prepareToDraw } from './report/index.js';
import { RunStore } from './run-record.js';
import { showRunEnds } from './run-telemetry.js';
import { RUN_JOB_KINDS, Scaler, WorkerWaits, demandOf } from './scaler/index.js';
import type { ScalerOptions } from './scaler/index.js';
import { distillationService } from './service.js';

export interface OrchestratorOptions extends ListenOptions {
  stores: Stores;
  /** `host:port` of the teacher-proxy. */
  teacherProxyAddress: string;
  /** Sent to the teacher-proxy. */
  teacherProxyToken?: string;
  /** Absent: plain text. */
  teacherProxyTls?: ClientTlsFiles;
  /** Gives synthesis and student-trainer pods while there is work. Absent: they are always there. */
  scaler?: Pick<ScalerOptions, 'cluster' | 'idleMs' | 'intervalMs' | 'maxReplicas'>;
  logger: Logger;
  /** Default: the system's. */
  clock?: Clock;
  /** Time between two looks for garbage. Default {@link DEFAULT_GARBAGE_INTERVAL_MS}. */
  garbageIntervalMs?: number;
  /** What is younger is no garbage. Default {@link DEFAULT_GARBAGE_AGE_MS}. */
  garbageAgeMs?: number;
  /** After which a run that is over is deleted; 0: never. Default {@link DEFAULT_RUN_RETENTION_MS}. */
  runRetentionMs?: number;
}

export interface RunningOrchestrator {
  /** `host:port` that the server really listens on. */
  readonly address: string;
  /** Takes no new calls and gives its runs up for the next orchestrator. */
  stop(): Promise<void>;
}

/**
 * Starts the orchestrator: drives runs, those too whose driver died, and serves the API.
 * @throws ConfigError where the address is beyond loopback without authentication
 */
export async function startOrchestrator(options: OrchestratorOptions): Promise<RunningOrchestrator> {
  const { stores, logger, clock = systemClock } = options;
  const runs = new RunStore(stores.state, stores.events);
  const { maxMessageBytes } = options;
  const datasets = new DatasetStore(stores.state, stores.blobs, clock, {
    ...(maxMessageBytes !== undefined && { maxMessageBytes }),
  });
  const jobs = new JobClient(stores, clock);
  const { teacherProxyToken, teacherProxyTls } = options;
  const teacher = connect('bbdistill.v1.TeacherService', options.teacherProxyAddress, {
    ...(teacherProxyToken !== undefined && { token: teacherProxyToken }),
    ...(teacherProxyTls && { tls: teacherProxyTls }),
  });
  const reports = new RecentReports(stores.blobs);
  const waits = new WorkerWaits();
  const gather = blobGatherer(stores.blobs);
  const surroundings = { jobs, teacher, datasets, gather, waits, clock, onNearEnd: prepareToDraw };
  const driver = new RunDriver({
    runs,
    surroundings,
    jobs,
    finish: (run, spec, outcome, signal) =>
      finishRun({ blobs: stores.blobs, reports, teacher, clock, logger, signal }, run, spec, outcome),
    holder: randomUUID(),
    clock,
    logger,
  });
  driver.start();
  showRunEnds();
  // Also of those that no worker is up for, which are the ones to worry about.
  const stopObserving = observeWaitingJobs(stores.queue, RUN_JOB_KINDS);
  const scaler =
    options.scaler &&
    new Scaler({
      ...options.scaler,
      demandOf: (worker) => demandOf(worker, runs, stores.queue),
      waits,
      clock,
      logger,
    });
  scaler?.start();
  const server = await startGrpcServer({
    ...options,
    services: [distillationService({ runs, datasets, blobs: stores.blobs, reports, jobs, driver, teacher, clock })],
    logger,
    clock,
  });
  const stopping = new AbortController();
  const collecting = collectOnAndOn(
    {
      stores,
      clock,
      logger,
      intervalMs: options.garbageIntervalMs ?? DEFAULT_GARBAGE_INTERVAL_MS,
      ageMs: options.garbageAgeMs ?? DEFAULT_GARBAGE_AGE_MS,
      runRetentionMs: options.runRetentionMs ?? DEFAULT_RUN_RETENTION_MS,
    },
    stopping.signal,
  );
  return {
    address: server.address,
    async stop() {
      stopObserving();
      await scaler?.stop();
      stopping.abort();
      await collecting;
      await driver.stop();
      await server.drain(DEFAULT_DRAIN_MS);
      teacher.close();
    },
  };
}
