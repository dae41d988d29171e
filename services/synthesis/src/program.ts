import { listenOptions, startOnStores } from '@bbdistill/common';
import type { ServiceProgram } from '@bbdistill/common';
import { synthesisConfig } from './config.js';
import { startSynthesis } from './server.js';

/** The synthesis service as a process of its own. */
export const synthesisProgram: ServiceProgram<typeof synthesisConfig.table> = {
  name: 'synthesis',
  config: synthesisConfig,
  start(values, logger) {
    const { engine, gpu, jobConcurrency } = values;
    return startOnStores(values, logger, (stores) =>
      startSynthesis({ ...listenOptions(values), stores, logger, engine, gpu, jobConcurrency }),
    );
  },
};
