import { SERVICE_RULES, STORE_RULES, STORE_SETTINGS, defineConfig, parsers, serviceSettings } from '@bbdistill/common';
import { ENGINE_SETTINGS, THREAD_SETTINGS, engineFitsGpu, engineFitsThreads } from '@bbdistill/compute';
import { DEFAULT_JOB_CONCURRENCY } from './server.js';
import { DEFAULT_CHECKPOINT_INTERVAL_MS } from './train.js';

export const DEFAULT_LISTEN = '127.0.0.1:7703';
export const DEFAULT_STATE_FOLDER = './.bbdistill/student-trainer';
const MAX_JOB_CONCURRENCY = 256;
const MAX_CHECKPOINT_INTERVAL_MS = 24 * 60 * 60 * 1000;

/** Also of everything that runs a trainer inside itself. */
export const CHECKPOINT_SETTINGS = {
  checkpointIntervalMs: {
    env: 'BBDISTILL_CHECKPOINT_INTERVAL_MS',
    parse: parsers.integer({ min: 0, max: MAX_CHECKPOINT_INTERVAL_MS }),
    default: DEFAULT_CHECKPOINT_INTERVAL_MS,
    unit: 'ms',
    meaning: 'time between two checkpoints of a training; what a killed trainer does again at most',
  },
} as const;

/** The settings of the student-trainer. */
export const trainerConfig = defineConfig(
  {
    ...serviceSettings({ listen: DEFAULT_LISTEN, state: DEFAULT_STATE_FOLDER }),
    ...STORE_SETTINGS,
    ...ENGINE_SETTINGS,
    ...THREAD_SETTINGS,
    jobConcurrency: {
      env: 'BBDISTILL_JOB_CONCURRENCY',
      parse: parsers.integer({ min: 1, max: MAX_JOB_CONCURRENCY }),
      default: DEFAULT_JOB_CONCURRENCY,
      unit: 'jobs',
      meaning: 'jobs in hand at once, each on a core of its own',
    },
    ...CHECKPOINT_SETTINGS,
  },
  [...SERVICE_RULES, ...STORE_RULES, engineFitsGpu, engineFitsThreads],
);
