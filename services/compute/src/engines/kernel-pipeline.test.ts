import { RandomStream } from '@bbdistill/common';
import type { ImageShape } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { kernelFamilies } from '../../../../test/helpers/kernel-families.js';
import { BatchSource } from '../augment/index.js';
import type { BatchAugmentation } from '../augment/index.js';
import { DEFAULT_ADAM } from '../engine.js';
import type { Classifier } from '../engine.js';
import { networkByName } from '../networks.js';

const CLASSES = 3;
const COUNT = 24;
const BATCH = 8;
const GREY = { height: 13, width: 15, channels: 1 };
const COLOUR = { height: 12, width: 17, channels: 3 };
const OFF: BatchAugmentation = { mixupAlpha: 0, rotationDegrees: 0, shift: 0, flip: false };

function source(shape: ImageShape, augmentation: BatchAugmentation): BatchSource {
  const random = new RandomStream(3, 'images');
  const pixels = Uint8Array.from({ length: COUNT * shape.height * shape.width * shape.channels }, () =>
    random.integer(256),
  );
  const targets = Float32Array.from({ length: COUNT * CLASSES }, () => random.uniform());
  const options = { count: COUNT, shape, classes: CLASSES, batch: BATCH, seed: 9, augmentation };
  return new BatchSource({ pixels, targets }, options);
}

/** What the classifier's buffers hold after a fill, by its own pipeline or from outside. */
function filled(
  classifier: Classifier,
  shape: ImageShape,
  augmentation: BatchAugmentation,
  inside: boolean,
  [first, count]: readonly [number, number] = [0, BATCH],
): { images: Float32Array; targets: Float32Array } {
  const { images, targets, pipeline } = classifier;
  images.fill(NaN);
  targets.fill(NaN);
  const buffers = inside && pipeline ? { images, targets, pipeline } : { images, targets };
  source(shape, augmentation).fill(4, first, count, buffers);
  const pixels = shape.height * shape.width * shape.channels;
  return { images: images.slice(0, count * pixels), targets: targets.slice(0, count * CLASSES) };
}

describe.each(kernelFamilies())('$name engine - images from bytes', ({ name, engine }) => {
  const compiled = (shape: ImageShape) =>
    engine.createClassifier({
      network: networkByName('lenet5-half', shape, CLASSES),
      batch: BATCH,
      seed: 1,
      loss: { balance: 0, temperature: 1 },
      optimiser: DEFAULT_ADAM,
    });

  it.each([
    ['nothing', OFF],
    ['MixUp', { ...OFF, mixupAlpha: 0.4 }],
    ['moves', { ...OFF, rotationDegrees: 25, shift: 0.3 }],
    ['flips', { ...OFF, flip: true }],
    ['all of it', { mixupAlpha: 1, rotationDegrees: 10, shift: 0.1, flip: true }],
  ])('by %s are those made outside, on wasm to the bit', (_what, augmentation) => {
    for (const shape of [GREY, COLOUR]) {
      const classifier = compiled(shape);
      expect(classifier.pipeline).toBeDefined();
      const outside = filled(classifier, shape, augmentation, false);
      const inside = filled(classifier, shape, augmentation, true);
      expect(inside.targets).toEqual(outside.targets);
      if (name === 'wasm') expect(inside.images).toEqual(outside.images);
      const error = inside.images.reduce((most, value, i) => Math.max(most, Math.abs(value - outside.images[i]!)), 0);
      expect(error).toBeLessThan(1e-6);
      classifier.dispose();
    }
  });

  it('are the same in a part of a batch as in the whole', () => {
    const augmentation = { mixupAlpha: 0.4, rotationDegrees: 10, shift: 0.1, flip: true };
    const classifier = compiled(GREY);
    const whole = filled(classifier, GREY, augmentation, true);
    const part = filled(classifier, GREY, augmentation, true, [5, 3]);
    expect(part.images).toEqual(whole.images.slice(5 * 195));
    expect(part.targets).toEqual(whole.targets.slice(5 * CLASSES));
    classifier.dispose();
  });
});
