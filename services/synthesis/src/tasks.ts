import type { JobProgress } from '@bbdistill/common/base';
import { createEngine } from '@bbdistill/compute';
import type { EngineName, GpuWish } from '@bbdistill/compute';
import { fitGenerator } from './fit.js';
import type { FitData, FitOptions } from './fit.js';
import { generateImages } from './generate.js';
import type { ImageSink } from './generate.js';
import { decodeGenerator, encodeGenerator } from './generator.js';
import type { WorkHooks } from './synthesise.js';

/** Which engine a task asks for. */
export interface EngineWish {
  engine: EngineName;
  gpu: GpuWish;
}

export interface FitTaskInput extends EngineWish {
  data: FitData;
  options: FitOptions;
}

export interface FitTaskOutput {
  /** The encoded generator. */
  generator: Uint8Array;
  epochLoss: number[];
  engine: string;
}

export interface GenerateTaskInput extends EngineWish {
  /** The encoded generator. */
  generator: Uint8Array;
  count: number;
  seed: number;
}

/** The work that is too long for the thread that answers calls. */
export interface SynthesisTasks {
  fit(input: FitTaskInput, hooks: WorkHooks): Promise<FitTaskOutput>;
  generate(input: GenerateTaskInput, sink: ImageSink, hooks: WorkHooks): Promise<void>;
}

/** Does the work where it is called. */
export const tasksInThisThread: SynthesisTasks = {
  async fit({ engine: name, gpu, data, options }, hooks) {
    const engine = await createEngine(name, gpu);
    const { generator, epochLoss } = await fitGenerator(engine, data, options, hooks);
    return { generator: encodeGenerator(generator), epochLoss, engine: engine.description };
  },
  async generate({ engine: name, gpu, generator, count, seed }, sink, hooks) {
    const engine = await createEngine(name, gpu);
    await generateImages(engine, decodeGenerator(generator), count, seed, sink, hooks);
  },
};

/** What a worker thread is asked to do. */
export type WorkerInput = ({ task: 'fit' } & FitTaskInput) | ({ task: 'generate' } & GenerateTaskInput);

/** What a worker thread tells while it works. */
export type WorkerMessage = { progress: JobProgress } | { pixels: Uint8Array; count: number };
