import { SERVICE_RULES, STORE_RULES, STORE_SETTINGS, defineConfig, parsers, serviceSettings } from '@bbdistill/common';
import { DEFAULT_JOB_CONCURRENCY } from './server.js';
import { teachersFile } from './teachers-file.js';

export const DEFAULT_LISTEN = '127.0.0.1:7701';
export const DEFAULT_STATE_FOLDER = './.bbdistill/teacher-proxy';
const MAX_JOB_CONCURRENCY = 256;
const MAX_CALL_CONCURRENCY = 1024;

/** Also of everything that runs a teacher-proxy inside itself. */
export const TEACHERS_SETTINGS = {
  teachers: {
    env: 'BBDISTILL_TEACHERS',
    parse: parsers.optional(teachersFile),
    default: undefined,
    meaning: 'YAML file with a teachers: block to register; those that the state folder knows stay',
  },
} as const;

/** Also of everything that runs a teacher-proxy inside itself. */
export const CACHE_SETTINGS = {
  cacheMaxBytes: {
    env: 'BBDISTILL_CACHE_MAX_BYTES',
    parse: parsers.integer({ min: 0 }),
    default: 0,
    unit: 'bytes',
    meaning:
      'answers kept at most, here and in NATS each; the longest unused go first, those of open runs never; 0: all',
  },
} as const;

/** The settings of the teacher-proxy. */
export const teacherProxyConfig = defineConfig(
  {
    ...serviceSettings({ listen: DEFAULT_LISTEN, state: DEFAULT_STATE_FOLDER }),
    ...STORE_SETTINGS,
    ...TEACHERS_SETTINGS,
    ...CACHE_SETTINGS,
    callConcurrency: {
      env: 'BBDISTILL_CALL_CONCURRENCY',
      parse: parsers.optional(parsers.integer({ min: 1, max: MAX_CALL_CONCURRENCY })),
      default: undefined,
      unit: 'calls',
      meaning: 'calls that this replica has open at one teacher at most; unset: as many as the teacher allows',
    },
    jobConcurrency: {
      env: 'BBDISTILL_JOB_CONCURRENCY',
      parse: parsers.integer({ min: 1, max: MAX_JOB_CONCURRENCY }),
      default: DEFAULT_JOB_CONCURRENCY,
      unit: 'shards',
      meaning: "shards in hand at once; how many calls are in flight is each teacher's own limit",
    },
  },
  [...SERVICE_RULES, ...STORE_RULES],
);
