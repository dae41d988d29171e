import { parsers } from '@bbdistill/common/base';
import type { ConfigRule, ConfigTable } from '@bbdistill/common/base';
import { ENGINE_NAMES, GPU_WISHES } from './engine.js';
import type { EngineName } from './engine.js';

const ON_GPU: readonly EngineName[] = ['tensorflow-gpu', 'webgpu'];

/** The settings of every service that computes (DESIGN §8). */
export const ENGINE_SETTINGS = {
  engine: {
    env: 'BBDISTILL_ENGINE',
    parse: parsers.oneOf(...ENGINE_NAMES),
    default: 'auto',
    meaning: 'what computes where a run leaves it to the service; auto takes the best that loads',
  },
  gpu: {
    env: 'BBDISTILL_GPU',
    parse: parsers.oneOf(...GPU_WISHES),
    default: 'preferred',
    meaning: 'required: refuse to start without a GPU; never: leave GPUs alone',
  },
} as const satisfies ConfigTable;

/** More would share a batch in crumbs. */
export const MAX_TRAINING_THREADS = 64;
/** One gives the same bits wherever the engine does. */
export const DEFAULT_TRAINING_THREADS = 1;

/** Of everything that trains students. */
export const THREAD_SETTINGS = {
  threads: {
    env: 'BBDISTILL_THREADS',
    parse: parsers.integer({ min: 1, max: MAX_TRAINING_THREADS }),
    default: DEFAULT_TRAINING_THREADS,
    unit: 'threads',
    meaning:
      'threads that share every batch of a training, where a run leaves it to the service; another number rounds otherwise',
  },
} as const satisfies ConfigTable;

/** Engines that can share a batch between our threads; the others have threads of their own. */
const SHARING: readonly EngineName[] = ['auto', 'native', 'wasm'];

/** What is wrong with training so on this engine, if anything. */
export function threadsFault(engine: EngineName, threads: number): string | undefined {
  if (threads <= 1 || SHARING.includes(engine)) return undefined;
  return `engine ${engine} and threads ${threads} contradict each other: it has threads of its own, set threads to 1`;
}

/** An engine that can't share a batch would be found out only by the first training. */
export const engineFitsThreads: ConfigRule<typeof ENGINE_SETTINGS & typeof THREAD_SETTINGS> = {
  name: 'engine-fits-threads',
  check: ({ engine, threads }) => threadsFault(engine, threads),
};

/** An engine that can't do what `gpu` asks for would be found out only when it starts. */
export const engineFitsGpu: ConfigRule<typeof ENGINE_SETTINGS> = {
  name: 'engine-fits-gpu',
  check({ engine, gpu }) {
    if (engine === 'auto' || gpu === 'preferred' || ON_GPU.includes(engine) === (gpu === 'required')) return undefined;
    return `engine ${engine} and gpu ${gpu} contradict each other: change one of the two, or set engine to auto`;
  },
};
