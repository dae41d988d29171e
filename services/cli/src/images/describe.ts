import { createHash } from 'node:crypto';
import { InvalidArgumentError, pixelsPerImage } from '@bbdistill/common';
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

/**
 * Holds what was read against what was declared.
 * @param declared the number of classes that the run is set up for
 * @throws InvalidArgumentError when a label is out of range, the data has other classes, or a class is missing
 */
export function checkClasses(
  data: { labels?: Int32Array; classNames?: readonly string[] },
  declared: number,
  source: string,
): void {
  if (data.classNames && data.classNames.length > declared) {
    throw new InvalidArgumentError(
      `${source}: ${data.classNames.length} classes where ${declared} are declared; set classes to ${data.classNames.length}`,
      { code: 'CLASSES' },
    );
  }
  if (!data.labels) return;
  const counts = new Array<number>(declared).fill(0);
  data.labels.forEach((label, index) => {
    if (label < -1 || label >= declared) {
      throw new InvalidArgumentError(
        `${source}: label ${label} of image ${index} is out of range; ${declared} classes are numbered 0 to ${declared - 1}`,
        { code: 'LABEL_RANGE' },
      );
    }
    if (label >= 0) counts[label]!++;
  });
  const missing = counts.flatMap((images, label) => (images === 0 ? [data.classNames?.[label] ?? String(label)] : []));
  if (missing.length > 0) {
    throw new InvalidArgumentError(
      `${source}: ${declared - missing.length} classes where ${declared} are declared; ` +
        `no image of ${missing.slice(0, 5).join(', ')}${missing.length > 5 ? ', …' : ''}`,
      { code: 'CLASSES_MISSING' },
    );
  }
}

/** MixUp pairs two different images. @throws InvalidArgumentError for fewer than two */
export function checkEnoughImages(images: ImageBatch, source: string): void {
  if (images.count >= 2) return;
  throw new InvalidArgumentError(
    `${source}: ${images.count} image; mixing needs at least 2 different ones, and a few hundred give a useful student`,
    { code: 'IMAGES_TOO_FEW' },
  );
}
