import { ConfigError, RandomStream, pixelsPerImage, sha256Hex } from '@bbdistill/common';
import type { ImageBatch } from '@bbdistill/common';
import { selectImages } from './transform.js';

export interface HoldOut {
  /** In the order that they had. */
  kept: ImageBatch;
  /** No two alike. */
  heldOut: ImageBatch;
}

/**
 * Sets some of the images aside, drawn by the seed: a smaller number is a prefix of a larger one. The copies of an image
 * go with it, so that none is on both sides.
 * @throws ConfigError where none would be left
 */
export function holdOut(images: ImageBatch, count: number, seed: number): HoldOut {
  const size = pixelsPerImage(images.shape);
  const hashes = Array.from({ length: images.count }, (_, index) =>
    sha256Hex(images.pixels.subarray(index * size, (index + 1) * size)),
  );
  const firstOf = new Map<string, number>();
  hashes.forEach((hash, index) => firstOf.has(hash) || firstOf.set(hash, index));
  const distinct = [...firstOf.values()];
  if (count >= distinct.length) {
    throw new ConfigError(
      `run.evaluation.holdOut is ${count} and run.images has ${distinct.length} different images: none would be left ` +
        'to learn from, hold fewer out',
    );
  }
  const order = new RandomStream(seed, 'hold-out').permutation(distinct.length).subarray(0, count);
  const drawn = Array.from(order, (place) => distinct[place]!);
  const away = new Set(drawn.map((index) => hashes[index]!));
  const kept = hashes.flatMap((hash, index) => (away.has(hash) ? [] : [index]));
  return { kept: selectImages(images, kept), heldOut: selectImages(images, drawn) };
}
