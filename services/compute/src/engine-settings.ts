import { parsers } from '@bbdistill/common';
import type { ConfigRule, ConfigTable } from '@bbdistill/common';
import { ENGINE_NAMES } from './engine.js';
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
    parse: parsers.oneOf('required', 'preferred', 'never'),
    default: 'preferred',
    meaning: 'required: refuse to start without a GPU; never: leave GPUs alone',
  },
} as const satisfies ConfigTable;

/** An engine that can't do what `gpu` asks for would be found out only when it starts. */
export const engineFitsGpu: ConfigRule<typeof ENGINE_SETTINGS> = {
  name: 'engine-fits-gpu',
  check({ engine, gpu }) {
    if (engine === 'auto' || gpu === 'preferred' || ON_GPU.includes(engine) === (gpu === 'required')) return undefined;
    return `engine ${engine} and gpu ${gpu} contradict each other: change one of the two, or set engine to auto`;
  },
};
