import { listenOptions, startOnStores } from '@bbdistill/common';
import type { ServiceProgram } from '@bbdistill/common';
import { orchestratorConfig, scalerOptions, teacherProxyConnection } from './config.js';
import { startOrchestrator } from './server.js';

/** The orchestrator as a process of its own. */
export const orchestratorProgram: ServiceProgram<typeof orchestratorConfig.table> = {
  name: 'orchestrator',
  config: orchestratorConfig,
  async start(values, logger) {
    const scaler = await scalerOptions(values);
    const { garbageIntervalMs, garbageAgeMs, runRetentionMs } = values;
    return startOnStores(values, logger, (stores) =>
      startOrchestrator({
        ...listenOptions(values),
        stores,
        logger,
        ...teacherProxyConnection(values),
        ...scaler,
        garbageIntervalMs,
        garbageAgeMs,
        runRetentionMs,
      }),
    );
  },
};
