import { randomBytes } from 'node:crypto';
import { bearerToken, openEmbeddedStores, systemClock } from '@bbdistill/common';
import type { ListenOptions, Logger, Stores } from '@bbdistill/common';
import type { EngineName, GpuWish } from '@bbdistill/compute';
import { interruptOrphanedRuns, startOrchestrator } from '@bbdistill/orchestrator';
import type { OrchestratorOptions } from '@bbdistill/orchestrator';
import { startStudentTrainer } from '@bbdistill/student-trainer';
import { startSynthesis } from '@bbdistill/synthesis';
import { startTeacherProxy } from '@bbdistill/teacher-proxy';
import type { TeacherConfig } from '@bbdistill/teacher-proxy';

/** Embedded services are for this process alone. */
const ANY_LOOPBACK_PORT = '127.0.0.1:0';
const TOKEN_BYTES = 32;

export interface EmbeddedOptions {
  stateFolder: string;
  /** Registered in addition to those that the state folder knows. */
  teachers: readonly TeacherConfig[];
  engine: EngineName;
  gpu: GpuWish;
  /** Default: the trainer's. */
  threads?: number;
  logger: Logger;
  /** Where and to whom the orchestrator answers. Default: any free port of loopback, everybody there. */
  listen?: ListenOptions;
  /** Of the answer cache. Default: it may grow for ever. */
  cacheMaxBytes?: number;
  /** Default: the trainer's. */
  checkpointIntervalMs?: number;
  /** Default: the orchestrator's. */
  garbage?: Pick<OrchestratorOptions, 'garbageIntervalMs' | 'garbageAgeMs' | 'runRetentionMs'>;
  /**
   * What becomes of the runs that an earlier process left in the middle: they wait to be resumed, so that no money is
   * spent by itself (the default), or they go on, as in a service.
   */
  orphanedRuns?: 'interrupt' | 'continue';
}

/** The four services in this process, over real gRPC. */
export interface Embedded {
  readonly orchestratorAddress: string;
  /** Runs that an earlier process left in the middle; they wait to be resumed. */
  readonly interruptedRuns: readonly string[];
  /** Gives unfinished work back and closes the state folder. */
  stop(): Promise<void>;
}

/**
 * Starts everything that a run needs on one machine.
 * @throws ConfigError where another process uses the state folder
 */
export async function startEmbedded(options: EmbeddedOptions): Promise<Embedded> {
  const {
    stateFolder,
    logger,
    engine,
    gpu,
    threads,
    checkpointIntervalMs,
    listen = { address: ANY_LOOPBACK_PORT },
  } = options;
  const clock = systemClock;
  const stores: Stores = await openEmbeddedStores({ folder: stateFolder, clock });
  const running: { stop(): Promise<void> }[] = [];
  const stop = async () => {
    for (const service of running.reverse()) await service.stop();
    await stores.close();
  };
  try {
    const interruptedRuns = options.orphanedRuns === 'continue' ? [] : await interruptOrphanedRuns(stores, clock);
    // Nobody on this machine gets round the orchestrator and its token to the teachers.
    const innerToken = randomBytes(TOKEN_BYTES).toString('hex');
    const base = { stores, address: ANY_LOOPBACK_PORT, auth: bearerToken(innerToken), logger, clock };
    const proxy = await startTeacherProxy({
      ...base,
      stateFolder,
      teachers: options.teachers,
      ...(options.cacheMaxBytes !== undefined && { cacheMaxBytes: options.cacheMaxBytes }),
    });
    running.push(proxy);
    running.push(await startSynthesis({ ...base, engine, gpu }));
    running.push(
      await startStudentTrainer({
        ...base,
        engine,
        gpu,
        ...(threads !== undefined && { threads }),
        ...(checkpointIntervalMs !== undefined && { checkpointIntervalMs }),
      }),
    );
    const teacherProxy = { teacherProxyAddress: proxy.address, teacherProxyToken: innerToken };
    const orchestrator = await startOrchestrator({
      stores,
      logger,
      clock,
      ...listen,
      ...teacherProxy,
      ...options.garbage,
    });
    running.push(orchestrator);
    return { orchestratorAddress: orchestrator.address, interruptedRuns, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
