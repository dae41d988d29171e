import { listenOptions, startOnStores } from '@bbdistill/common';
import type { ServiceProgram } from '@bbdistill/common';
import { trainerConfig } from './config.js';
import { startStudentTrainer } from './server.js';

/** The student-trainer as a process of its own. */
export const trainerProgram: ServiceProgram<typeof trainerConfig.table> = {
  name: 'student-trainer',
  config: trainerConfig,
  start(values, logger) {
    const { engine, gpu, threads, jobConcurrency, checkpointIntervalMs } = values;
    return startOnStores(values, logger, (stores) =>
      startStudentTrainer({
        ...listenOptions(values),
        stores,
        logger,
        engine,
        gpu,
        threads,
        jobConcurrency,
        checkpointIntervalMs,
      }),
    );
  },
};
