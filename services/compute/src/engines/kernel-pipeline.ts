import type { ImageShape } from '@bbdistill/common/base';
import { pixelsPerImage } from '@bbdistill/common/base';
import { NUMBERS_PER_DRAW } from '../augment/index.js';
import type { ImagePipeline } from '../augment/index.js';
import { bytesAt } from './kernels.js';
import type { Kernels, Pointer } from './kernels.js';

/** Allocates what an image pipeline needs in the memory of an instance; to be called while its network is built. */
export function addPipeline(kernels: Kernels, batch: number, shape: ImageShape, images: Pointer): Pointer {
  return kernels.augmenter_new(batch, shape.height, shape.width, shape.channels, images);
}

/** The pipeline that `addPipeline` allocated, once the network is built. */
export function pipelineAt(kernels: Kernels, self: Pointer, batch: number, shape: ImageShape): ImagePipeline {
  const bytes = batch * pixelsPerImage(shape);
  const draws = new Float64Array(kernels.memory.buffer, kernels.augmenter_draws(self), batch * NUMBERS_PER_DRAW);
  return {
    first: bytesAt(kernels, kernels.augmenter_first(self), bytes),
    second: bytesAt(kernels, kernels.augmenter_second(self), bytes),
    draws,
    fill: (count, mixes, warps) => kernels.augmenter_fill(self, count, mixes ? 1 : 0, warps ? 1 : 0),
  };
}
