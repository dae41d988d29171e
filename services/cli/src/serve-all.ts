import { SERVICE_RULES, STORE_SETTINGS, defineConfig, listenOptions, serviceSettings } from '@bbdistill/common';
import type { ConfigRule, ServiceProgram } from '@bbdistill/common';
import { ENGINE_SETTINGS, THREAD_SETTINGS, engineFitsGpu, engineFitsThreads } from '@bbdistill/compute';
import { GARBAGE_SETTINGS } from '@bbdistill/orchestrator';
import { CHECKPOINT_SETTINGS } from '@bbdistill/student-trainer';
import { CACHE_SETTINGS, TEACHERS_SETTINGS } from '@bbdistill/teacher-proxy';
import { startEmbedded } from './embedded.js';
import { DEFAULT_STATE_FOLDER } from './session.js';

export const DEFAULT_LISTEN = '127.0.0.1:7700';

/** Somebody who sets both believes that the services share their stores. */
const keepsItsStores: ConfigRule<Pick<typeof STORE_SETTINGS, 'natsUrl'>> = {
  name: 'one-process-one-folder',
  check: ({ natsUrl }) =>
    natsUrl === undefined
      ? undefined
      : 'natsUrl is set, but "all" keeps its stores in the folder state: leave natsUrl (NATS_URL) out, or start the ' +
        'services one by one (bbdistill serve orchestrator, ...)',
};

/** The settings of all services in one process; only the orchestrator is reached from outside. */
export const serveAllConfig = defineConfig(
  {
    ...serviceSettings({ listen: DEFAULT_LISTEN, state: DEFAULT_STATE_FOLDER }),
    natsUrl: { ...STORE_SETTINGS.natsUrl, meaning: 'not to be set here: one process keeps its stores in a folder' },
    ...TEACHERS_SETTINGS,
    ...CACHE_SETTINGS,
    ...ENGINE_SETTINGS,
    ...THREAD_SETTINGS,
    ...CHECKPOINT_SETTINGS,
    ...GARBAGE_SETTINGS,
  },
  [...SERVICE_RULES, keepsItsStores, engineFitsGpu, engineFitsThreads],
);

/** Everything that a run needs, in one process, for many callers; goes on with the runs of the process before. */
export const serveAllProgram: ServiceProgram<typeof serveAllConfig.table> = {
  name: 'all',
  config: serveAllConfig,
  async start(values, logger) {
    const { state, engine, gpu, threads, checkpointIntervalMs, cacheMaxBytes, teachers } = values;
    const { garbageIntervalMs, garbageAgeMs, runRetentionMs } = values;
    const embedded = await startEmbedded({
      stateFolder: state,
      teachers: teachers?.teachers ?? [],
      engine,
      gpu,
      threads,
      cacheMaxBytes,
      checkpointIntervalMs,
      garbage: { garbageIntervalMs, garbageAgeMs, runRetentionMs },
      logger,
      listen: listenOptions(values),
      orphanedRuns: 'continue',
    });
    return { address: embedded.orchestratorAddress, stop: () => embedded.stop() };
  },
};
