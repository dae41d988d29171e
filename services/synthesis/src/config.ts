import { SERVICE_RULES, STORE_RULES, STORE_SETTINGS, defineConfig, parsers, serviceSettings } from '@bbdistill/common';
import { ENGINE_SETTINGS, engineFitsGpu } from '@bbdistill/compute';
import { DEFAULT_JOB_CONCURRENCY } from './server.js';

export const DEFAULT_LISTEN = '127.0.0.1:7702';
export const DEFAULT_STATE_FOLDER = './.bbdistill/synthesis';
const MAX_JOB_CONCURRENCY = 256;

/** The settings of the synthesis service. */
export const synthesisConfig = defineConfig(
  {
    ...serviceSettings({ listen: DEFAULT_LISTEN, state: DEFAULT_STATE_FOLDER }),
    ...STORE_SETTINGS,
    ...ENGINE_SETTINGS,
    jobConcurrency: {
      env: 'BBDISTILL_JOB_CONCURRENCY',
      parse: parsers.integer({ min: 1, max: MAX_JOB_CONCURRENCY }),
      default: DEFAULT_JOB_CONCURRENCY,
      unit: 'jobs',
      meaning: 'jobs in hand at once, each on a core of its own',
    },
  },
  [...SERVICE_RULES, ...STORE_RULES, engineFitsGpu],
);
