import { InvalidArgumentError } from '@bbdistill/common/base';
import type { NetworkSpec } from '../engine.js';

/**
 * Of a network with batch normalisation: the mean and variance of fewer images say little, those of one image have no
 * gradient and let the moving statistics decay.
 */
export const MIN_BATCH_NORM_IMAGES_PER_THREAD = 8;

/** The most threads that can share a batch of this network; 1 always can. */
export function mostThreads(network: NetworkSpec, batch: number): number {
  return hasBatchNorm(network) ? Math.max(1, Math.floor(batch / MIN_BATCH_NORM_IMAGES_PER_THREAD)) : batch;
}

/**
 * Refuses threads that would leave batch normalisation too few images each. Without batch normalisation, threads
 * beyond the batch's images are merely not taken.
 * @throws InvalidArgumentError naming both settings and what they may be
 */
export function assertThreadsFit(network: NetworkSpec, batch: number, threads: number): void {
  const most = mostThreads(network, batch);
  if (threads <= most || !hasBatchNorm(network)) return;
  throw new InvalidArgumentError(
    `threads is ${threads} and recipe.batch is ${batch}, but network ${network.name} normalises over each thread's ` +
      `part of a batch, which needs at least ${MIN_BATCH_NORM_IMAGES_PER_THREAD} images: set threads to ${most}` +
      `${most > 1 ? ' or fewer' : ''}, or recipe.batch to ${threads * MIN_BATCH_NORM_IMAGES_PER_THREAD} or more`,
    { code: 'THREADS_BEYOND_BATCH' },
  );
}

function hasBatchNorm({ layers }: NetworkSpec): boolean {
  return layers.some(({ kind }) => kind === 'batch-norm');
}
