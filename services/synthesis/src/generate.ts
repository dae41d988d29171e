import { CancelledError, MAX_IMAGES_PER_SHARD, RandomStream, pixelsPerImage } from '@bbdistill/common/base';
import { DEFAULT_ADAM } from '@bbdistill/compute';
import type { Engine } from '@bbdistill/compute';
import { isDecoderWeight } from './generator.js';
import type { Generator } from './generator.js';
import type { WorkHooks } from './synthesise.js';

/** Half-width of the uniform latents (paper: U(−3,3)). */
export const UNIFORM_LATENT_LIMIT = 3;

/** Images decoded together: the last layer's weights are too many to be read again for every one. Divides a shard. */
const CONVOLUTIONAL_BATCH = 64;

/** Gets the images piece by piece: uint8 [count,H,W,C], at most MAX_IMAGES_PER_SHARD; the last piece may be smaller. */
export type ImageSink = (pixels: Uint8Array, count: number) => void | Promise<void>;

/**
 * Draws images from a fitted CVAE. Image j is of class j mod K; within each class z alternates between N(0,I) and
 * U(−3,3). Image j depends on the generator, the seed and j alone: a smaller count is a prefix of a larger one.
 * @throws InvalidArgumentError where the weights don't fit
 * @throws CancelledError when the signal aborts
 */
export async function generateImages(
  engine: Engine,
  generator: Generator,
  count: number,
  seed: number,
  sink: ImageSink,
  hooks: WorkHooks,
): Promise<void> {
  const { shape, classes, latent, architecture, weights } = generator;
  const cvae = engine.createCvae({
    shape,
    classes,
    latent,
    architecture,
    batch: architecture.kind === 'dense' ? 1 : CONVOLUTIONAL_BATCH,
    seed,
    optimiser: DEFAULT_ADAM,
  });
  try {
    // Decoding needs no encoder, and none was stored: it stays as it was initialised.
    const encoder = cvae.weights().filter(({ name }) => !isDecoderWeight(name));
    cvae.setWeights([...encoder, ...weights]);
    const block = architecture.kind === 'dense' ? MAX_IMAGES_PER_SHARD : CONVOLUTIONAL_BATCH;
    // Whole blocks always, the last one cut afterwards: an engine may round differently in the tail of a block, and an
    // image must not depend on how many others were asked for.
    const latents = new Float32Array(MAX_IMAGES_PER_SHARD * latent);
    const conditions = new Float32Array(MAX_IMAGES_PER_SHARD * classes);
    for (let start = 0; start < count; start += MAX_IMAGES_PER_SHARD) {
      drawLatents(latents, latent, classes, seed, start);
      conditions.fill(0);
      for (let b = 0; b < MAX_IMAGES_PER_SHARD; b++) conditions[b * classes + ((start + b) % classes)] = 1;
      const kept = Math.min(MAX_IMAGES_PER_SHARD, count - start);
      const decoded = cvae.decode(latents, conditions, Math.ceil(kept / block) * block);
      await sink(toBytes(decoded, kept * pixelsPerImage(shape)), kept);
      hooks.progress({ unit: 'images', done: start + kept, total: count });
      await new Promise((resolve) => setImmediate(resolve));
      if (hooks.signal.aborted) throw new CancelledError('the making of images was cancelled');
    }
  } finally {
    cvae.dispose();
  }
}

/** z of the images from `start` on. */
export function drawLatents(target: Float32Array, latent: number, classes: number, seed: number, start: number): void {
  for (let b = 0; b < target.length / latent; b++) {
    const image = start + b;
    const random = new RandomStream(seed, 'cvae-latent', image);
    const isNormal = Math.floor(image / classes) % 2 === 0;
    for (let d = 0; d < latent; d++) {
      target[b * latent + d] = isNormal ? random.normal() : random.between(-UNIFORM_LATENT_LIMIT, UNIFORM_LATENT_LIMIT);
    }
  }
}

function toBytes(values: Float32Array, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let p = 0; p < length; p++) bytes[p] = (values[p]! * 255 + 0.5) | 0;
  return bytes;
}
