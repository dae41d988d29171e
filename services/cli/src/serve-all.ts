import { defineConfig, listenOptions, listensSafely, serviceSettings } from '@bbdistill/common';
import type { ServiceProgram } from '@bbdistill/common';
import { ENGINE_SETTINGS, engineFitsGpu } from '@bbdistill/compute';
import { CHECKPOINT_SETTINGS } from '@bbdistill/student-trainer';
import { TEACHERS_SETTINGS } from '@bbdistill/teacher-proxy';
import { startEmbedded } from './embedded.js';
import { DEFAULT_STATE_FOLDER } from './session.js';

export const DEFAULT_LISTEN = '127.0.0.1:7700';

/** The settings of all services in one process; only the orchestrator is reached from outside. */
export const serveAllConfig = defineConfig(
  {
    ...serviceSettings({ listen: DEFAULT_LISTEN, state: DEFAULT_STATE_FOLDER }),
    ...TEACHERS_SETTINGS,
    ...ENGINE_SETTINGS,
    ...CHECKPOINT_SETTINGS,
  },
  [listensSafely, engineFitsGpu],
);

/** Everything that a run needs, in one process, for many callers; goes on with the runs of the process before. */
export const serveAllProgram: ServiceProgram<typeof serveAllConfig.table> = {
  name: 'all',
  config: serveAllConfig,
  async start(values, logger) {
    const { state, engine, gpu, checkpointIntervalMs, teachers } = values;
    const embedded = await startEmbedded({
      stateFolder: state,
      teachers: teachers?.teachers ?? [],
      engine,
      gpu,
      checkpointIntervalMs,
      logger,
      listen: listenOptions(values),
      orphanedRuns: 'continue',
    });
    return { address: embedded.orchestratorAddress, stop: () => embedded.stop() };
  },
};
