import { MAX_IMAGES_PER_SHARD, RandomStream, encodeAnswers, encodeImages } from '@bbdistill/common';
import type { BlobStore, ImageShape } from '@bbdistill/common';

export const TINY_SHAPE: ImageShape = { height: 12, width: 12, channels: 1 };
const PIXELS = 144;

export interface TinyImages {
  count: number;
  shape: ImageShape;
  classes: number;
  pixels: Uint8Array;
  /** [N,K], 0.9 for the image's class and the rest spread evenly. */
  targets: Float32Array;
  labels: Int32Array;
}

/** Learnable images: class k is bright in a vertical band of its own, with noise. Image n is of class n mod K. */
export function tinyImages(count: number, classes = 3, seed = 1): TinyImages {
  const random = new RandomStream(seed, 'tiny-images');
  const pixels = new Uint8Array(count * PIXELS);
  const targets = new Float32Array(count * classes).fill(0.1 / Math.max(1, classes - 1));
  const labels = new Int32Array(count);
  for (let n = 0; n < count; n++) {
    const label = n % classes;
    labels[n] = label;
    targets[n * classes + label] = classes === 1 ? 1 : 0.9;
    for (let p = 0; p < PIXELS; p++) {
      const inBand = Math.floor(((p % 12) * classes) / 12) === label;
      pixels[n * PIXELS + p] = (inBand ? 160 : 20) + random.integer(60);
    }
  }
  return { count, shape: TINY_SHAPE, classes, pixels, targets, labels };
}

/** Stores the images with their answers, in shards of at most `perShard`. */
export async function storeLabelled(
  blobs: Pick<BlobStore, 'put'>,
  images: TinyImages,
  options: { perShard?: number; unanswered?: readonly number[] } = {},
) {
  const perShard = options.perShard ?? MAX_IMAGES_PER_SHARD;
  const shards = [];
  for (let start = 0; start < images.count; start += perShard) {
    const end = Math.min(images.count, start + perShard);
    const count = end - start;
    const targets = images.targets.slice(start * images.classes, end * images.classes);
    const answered = new Uint8Array(count).fill(1);
    for (const n of options.unanswered ?? []) {
      if (n < start || n >= end) continue;
      answered[n - start] = 0;
      targets.fill(0, (n - start) * images.classes, (n - start + 1) * images.classes);
    }
    const pixels = images.pixels.slice(start * PIXELS, end * PIXELS);
    shards.push({
      images: {
        blob: await blobs.put(encodeImages({ count, shape: images.shape, pixels })),
        images: count,
        shape: images.shape,
      },
      answers: {
        blob: await blobs.put(encodeAnswers({ count, classes: images.classes, targets, answered })),
        images: count,
        classes: images.classes,
        unanswered: answered.filter((flag) => flag === 0).length,
      },
    });
  }
  return shards;
}
