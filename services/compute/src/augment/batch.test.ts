import { RandomStream } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { BatchAugmenter } from './batch.js';
import type { BatchAugmentation, TrainingRows } from './batch.js';

const off: BatchAugmentation = { mixupAlpha: 0, rotationDegrees: 0, shift: 0, flip: false };

function drawing(...uniforms: number[]): RandomStream {
  const random = new RandomStream(1, 'unused');
  random.uniform = () => uniforms.shift() ?? 0.5;
  return random;
}

function filled(
  image: number[],
  shape: { height: number; width: number; channels: number },
  options: Partial<BatchAugmentation>,
  random: RandomStream,
): number[] {
  const data: TrainingRows = { pixels: Uint8Array.from(image), targets: Float32Array.of(1) };
  const images = new Float32Array(image.length);
  const rows = Uint32Array.of(0);
  new BatchAugmenter(data, shape, 1, { ...off, ...options }).fill(
    rows,
    rows,
    0,
    1,
    { images, targets: new Float32Array(1) },
    random,
  );
  return [...images].map((value) => Math.round(value * 255));
}

describe('batch augmentation - off', () => {
  it('copies the rows asked for, scaled to 0..1', () => {
    const data: TrainingRows = {
      pixels: Uint8Array.of(0, 51, 102, 153, 204, 255),
      targets: Float32Array.of(1, 0, 0, 1, 0.5, 0.5),
    };
    const images = new Float32Array(4);
    const targets = new Float32Array(4);
    const rows = Uint32Array.of(9, 2, 0);
    const shape = { height: 1, width: 2, channels: 1 };
    new BatchAugmenter(data, shape, 2, off).fill(rows, rows, 1, 2, { images, targets }, drawing());
    expect([...images]).toEqual([204 / 255, 1, 0, 51 / 255].map(Math.fround));
    expect([...targets]).toEqual([0.5, 0.5, 1, 0]);
  });
});

describe('batch augmentation - MixUp', () => {
  it('mixes images and answers with one λ per image', () => {
    const data: TrainingRows = { pixels: Uint8Array.of(0, 255), targets: Float32Array.of(1, 0, 0, 1) };
    const images = new Float32Array(2);
    const targets = new Float32Array(4);
    const shape = { height: 1, width: 1, channels: 1 };
    const rows = Uint32Array.of(0, 1);
    const partners = Uint32Array.of(1, 0);
    const augmenter = new BatchAugmenter(data, shape, 2, { ...off, mixupAlpha: 1 });
    augmenter.fill(rows, partners, 0, 2, { images, targets }, drawing(0.75, 0.25));
    expect([...images]).toEqual([0.25, 0.25]);
    expect([...targets]).toEqual([0.75, 0.25, 0.75, 0.25]);
  });
});

describe('batch augmentation - moves', () => {
  const line = { height: 1, width: 4, channels: 1 };

  it('shifts and fills with the nearest pixel', () => {
    // Draws: rotation, shift in y, shift in x (full).
    expect(filled([10, 20, 30, 40], line, { shift: 0.25 }, drawing(0.5, 0.5, 1))).toEqual([20, 30, 40, 40]);
    expect(filled([10, 20, 30, 40], line, { shift: 0.25 }, drawing(0.5, 0.5, 0))).toEqual([10, 10, 20, 30]);
  });

  it('shifts by half a pixel bilinearly', () => {
    expect(filled([10, 20, 30, 40], line, { shift: 0.125 }, drawing(0.5, 0.5, 1))).toEqual([15, 25, 35, 40]);
  });

  it('rotates about the centre', () => {
    const square = { height: 3, width: 3, channels: 1 };
    const turned = filled([1, 2, 3, 4, 5, 6, 7, 8, 9], square, { rotationDegrees: 90 }, drawing(1, 0.5, 0.5));
    expect(turned).toEqual([3, 6, 9, 2, 5, 8, 1, 4, 7]);
  });

  it('flips', () => {
    expect(filled([10, 20, 30, 40], line, { flip: true }, drawing(0.5, 0.5, 0.5, 0.1))).toEqual([40, 30, 20, 10]);
    expect(filled([10, 20, 30, 40], line, { flip: true }, drawing(0.5, 0.5, 0.5, 0.9))).toEqual([10, 20, 30, 40]);
  });

  it('moves colour as it moves grey', () => {
    const grey = Array.from({ length: 35 }, (_, p) => (p * 7) % 256);
    const options = { rotationDegrees: 10, shift: 0.1, flip: true };
    const draws = [0.9, 0.2, 0.7, 0.3];
    const one = filled(grey, { height: 5, width: 7, channels: 1 }, options, drawing(...draws));
    const three = filled(
      grey.flatMap((g) => [g, 255 - g, g]),
      { height: 5, width: 7, channels: 3 },
      options,
      drawing(...draws),
    );
    expect(three.filter((_, p) => p % 3 === 0)).toEqual(one);
    expect(three.filter((_, p) => p % 3 === 1)).toEqual(one.map((g) => 255 - g));
  });
});
