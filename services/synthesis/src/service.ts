import { InvalidArgumentError, implementService, jobMethods, jobToMessage } from '@bbdistill/common';
import type { BlobStore, JobClient, ServiceImplementation } from '@bbdistill/common';
import type { PreviewRequest__Output } from '@bbdistill/common/gen/bbdistill/v1/PreviewRequest.js';
import type { PreviewResponse } from '@bbdistill/common/gen/bbdistill/v1/PreviewResponse.js';
import { readImages } from '@bbdistill/compute';
import type { EngineName, GpuWish } from '@bbdistill/compute';
import { decodeGenerator } from './generator.js';
import { JOB_KINDS } from './jobs.js';
import { fitRequestOf, generateRequestOf, mixRequestOf } from './requests.js';
import { previewMix } from './synthesise.js';
import type { SynthesisTasks } from './tasks.js';

export const MAX_PREVIEW_IMAGES = 256;

export interface SynthesisServiceOptions {
  jobs: JobClient;
  blobs: BlobStore;
  tasks: SynthesisTasks;
  /** What `auto` in a request means here. */
  engine: EngineName;
  gpu: GpuWish;
  /** One line of the engine in use. */
  engineDescription: string;
  version: string;
  jobsRunning: () => number;
}

/** SynthesisService: refuses what can't work before it is queued, and answers small questions at once. */
export function synthesisService(options: SynthesisServiceOptions): ServiceImplementation {
  const { jobs } = options;
  return implementService('bbdistill.v1.SynthesisService', {
    ...jobMethods(jobs, JOB_KINDS),
    async SubmitFit(request) {
      fitRequestOf(request);
      return jobToMessage(await jobs.submit('fit', request));
    },
    async SubmitGenerate(request) {
      generateRequestOf(request);
      return jobToMessage(await jobs.submit('generate', request));
    },
    async SubmitMix(request) {
      mixRequestOf(request);
      return jobToMessage(await jobs.submit('mix', request));
    },
    Preview: (request, context) => preview(request, options, context.signal),
    async Describe() {
      const { engineDescription, version, jobsRunning } = options;
      return { engine: engineDescription, version, jobsRunning: jobsRunning() };
    },
  });
}

async function preview(
  request: PreviewRequest__Output,
  { blobs, tasks, engine, gpu }: SynthesisServiceOptions,
  signal: AbortSignal,
): Promise<PreviewResponse> {
  const wanted = request.images;
  if (wanted < 1 || wanted > MAX_PREVIEW_IMAGES) {
    throw new InvalidArgumentError(`images is ${wanted}: a preview shows 1 to ${MAX_PREVIEW_IMAGES}`);
  }
  if (request.mix) {
    const { images, count, options } = mixRequestOf(request.mix);
    const real = await readImages(blobs, images);
    return { shape: real.shape, pixels: Buffer.from(previewMix(real, options, count, wanted)) };
  }
  if (request.generate) {
    const asked = generateRequestOf(request.generate);
    const generator = await blobs.get(asked.generator.sha256);
    const pieces: Uint8Array[] = [];
    await tasks.generate(
      {
        generator,
        count: Math.min(wanted, asked.count),
        seed: asked.seed,
        engine: asked.engine === 'auto' ? engine : asked.engine,
        gpu,
      },
      (pixels) => void pieces.push(pixels),
      { signal, progress: () => undefined },
    );
    return { shape: decodeGenerator(generator).shape, pixels: Buffer.concat(pieces) };
  }
  throw new InvalidArgumentError('source is missing: set mix or generate');
}
