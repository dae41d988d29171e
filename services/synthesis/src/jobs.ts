import { pixelsPerImage, thinnedHistory } from '@bbdistill/common';
import type { BlobStore, Clock, JobContext, JobHandler } from '@bbdistill/common';
import type { FitRequest__Output } from '@bbdistill/common/gen/bbdistill/v1/FitRequest.js';
import type { FitResult__Output } from '@bbdistill/common/gen/bbdistill/v1/FitResult.js';
import type { GenerateRequest__Output } from '@bbdistill/common/gen/bbdistill/v1/GenerateRequest.js';
import type { GenerateResult__Output } from '@bbdistill/common/gen/bbdistill/v1/GenerateResult.js';
import type { MixRequest__Output } from '@bbdistill/common/gen/bbdistill/v1/MixRequest.js';
import type { MixResult__Output } from '@bbdistill/common/gen/bbdistill/v1/MixResult.js';
import { ShardWriter, readImages, readLabelled } from '@bbdistill/compute';
import type { EngineName, GpuWish } from '@bbdistill/compute';
import { decodeGenerator } from './generator.js';
import { fitRequestOf, generateRequestOf, mixRequestOf } from './requests.js';
import { mixImages } from './synthesise.js';
import type { SynthesisTasks } from './tasks.js';

export const JOB_KINDS = ['fit', 'generate', 'mix'] as const;

export interface SynthesisJobOptions {
  blobs: BlobStore;
  clock: Clock;
  tasks: SynthesisTasks;
  /** What `auto` in a request means here. */
  engine: EngineName;
  gpu: GpuWish;
}

/** One handler per kind of job; requests and results are the wire messages as plain JSON. */
export type SynthesisJobHandlers = {
  fit: JobHandler<FitRequest__Output, FitResult__Output>;
  generate: JobHandler<GenerateRequest__Output, GenerateResult__Output>;
  mix: JobHandler<MixRequest__Output, MixResult__Output>;
};

export function synthesisJobs({ blobs, clock, tasks, engine, gpu }: SynthesisJobOptions): SynthesisJobHandlers {
  const chosen = (wanted: EngineName) => ({ engine: wanted === 'auto' ? engine : wanted, gpu });
  const timed = stopwatch(clock);
  return {
    async fit(request, context) {
      const seconds = timed();
      const { data, classes, engine: wanted, options } = fitRequestOf(request);
      const labelled = await readLabelled(blobs, data, classes);
      const fitted = await tasks.fit({ data: labelled, options, ...chosen(wanted) }, context);
      const generator = await blobs.put(fitted.generator);
      const history = thinnedHistory(fitted.epochLoss.map((loss, before) => ({ epoch: before + 1, loss })));
      return { generator, history, seconds: seconds(), engine: fitted.engine };
    },
    async generate(request, context) {
      const seconds = timed();
      const { generator: ref, count, seed, engine: wanted } = generateRequestOf(request);
      const generator = await blobs.get(ref.sha256);
      const { shape } = decodeGenerator(generator);
      const writer = new ShardWriter(blobs, shape);
      const keep = (pixels: Uint8Array, images: number) => writeAll(writer, pixels, images, pixelsPerImage(shape));
      await tasks.generate({ generator, count, seed, ...chosen(wanted) }, keep, context);
      return { shards: await writer.finish(), seconds: seconds() };
    },
    async mix(request: MixRequest__Output, context: JobContext) {
      const seconds = timed();
      const { images, count, options } = mixRequestOf(request);
      const mixed = await mixImages(await readImages(blobs, images), options, count, blobs, context);
      return { ...mixed, seconds: seconds() };
    },
  };
}

async function writeAll(writer: ShardWriter, pixels: Uint8Array, images: number, perImage: number): Promise<void> {
  for (let n = 0; n < images; n++) {
    const { buffer, offset } = writer.slot;
    buffer.set(pixels.subarray(n * perImage, (n + 1) * perImage), offset);
    await writer.commit();
  }
}

function stopwatch(clock: Clock) {
  return () => {
    const startedMs = clock.monotonicMs();
    return () => (clock.monotonicMs() - startedMs) / 1000;
  };
}
