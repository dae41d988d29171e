import { createHash } from 'node:crypto';
import { pixelsPerImage } from '@bbdistill/common';
import type { ImageBatch, ImageShape } from '@bbdistill/common';

export interface ImagesDescription {
  images: number;
  shape: ImageShape;
  pixelBytes: number;
  /** Over all pixels, 0..255. */
  min: number;
  max: number;
  mean: number;
  standardDeviation: number;
  /** Images whose pixels equal those of an earlier one. They are asked once. */
  duplicates: number;
  /** The first duplicate and the image that it equals. */
  firstDuplicate?: { index: number; of: number };
  /** Images of one single value, which teach nothing. */
  blank: number;
  /** By class index; absent without labels. */
  classes?: { index: number; name: string; images: number }[];
  /** Images whose label isn't known; absent without labels. */
  unlabelled?: number;
}

/** Facts that one looks at before paying for answers. */
export function describeImages(data: {
  images: ImageBatch;
  labels?: Int32Array;
  classNames?: readonly string[];
}): ImagesDescription {
  const { images, labels, classNames } = data;
  const histogram = new Float64Array(256);
  const seen = new Map<string, number>();
  const bytes = pixelsPerImage(images.shape);
  let duplicates = 0;
  let blank = 0;
  let firstDuplicate: ImagesDescription['firstDuplicate'];
  for (let n = 0; n < images.count; n++) {
    const one = images.pixels.subarray(n * bytes, (n + 1) * bytes);
    for (const value of one) histogram[value]!++;
    if (one.every((value) => value === one[0])) blank++;
    const hash = createHash('sha256').update(one).digest('base64');
    const earlier = seen.get(hash);
    if (earlier === undefined) {
      seen.set(hash, n);
    } else {
      duplicates++;
      firstDuplicate ??= { index: n, of: earlier };
    }
  }
  const total = images.count * bytes;
  const mean = histogram.reduce((sum, times, value) => sum + times * value, 0) / Math.max(1, total);
  const variance = histogram.reduce((sum, times, value) => sum + times * (value - mean) ** 2, 0) / Math.max(1, total);
  return {
    images: images.count,
    shape: images.shape,
    pixelBytes: images.pixels.length,
    min: Math.max(
      0,
      histogram.findIndex((times) => times > 0),
    ),
    max: Math.max(
      0,
      histogram.findLastIndex((times) => times > 0),
    ),
    mean,
    standardDeviation: Math.sqrt(variance),
    duplicates,
    ...(firstDuplicate ? { firstDuplicate } : {}),
    blank,
    ...(labels ? classCounts(labels, classNames) : {}),
  };
}

function classCounts(labels: Int32Array, classNames: readonly string[] = []) {
  const highest = labels.reduce((max, label) => Math.max(max, label), -1);
  const counts = new Array<number>(Math.max(highest + 1, classNames.length)).fill(0);
  let unlabelled = 0;
  for (const label of labels) {
    if (label < 0) unlabelled++;
    else counts[label]!++;
  }
  return {
    classes: counts.map((images, index) => ({ index, name: classNames[index] ?? String(index), images })),
    unlabelled,
  };
}
