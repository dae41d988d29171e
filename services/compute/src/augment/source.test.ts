import { RandomStream } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { NO_SOURCE_AUGMENTATION, moveImage } from './source.js';
import type { SourceAugmentation } from './source.js';

/** A random source that gives the listed numbers. */
function drawing(...uniforms: number[]): RandomStream {
  const random = new RandomStream(1, 'unused');
  random.uniform = () => uniforms.shift() ?? 0.5;
  return random;
}

function moved(
  image: number[],
  width: number,
  source: Partial<SourceAugmentation>,
  random: RandomStream,
  channels = 1,
) {
  const shape = { height: image.length / width / channels, width, channels };
  const target = new Float32Array(image.length);
  moveImage(Uint8Array.from(image), target, shape, { ...NO_SOURCE_AUGMENTATION, ...source }, random);
  return [...target];
}

describe('source augmentation - moves', () => {
  it('leaves the image as it is where nothing is set', () => {
    expect(moved([1, 2, 3, 4], 2, {}, drawing(0.1))).toEqual([1, 2, 3, 4]);
  });

  it('flips left and right, channels kept together', () => {
    expect(moved([1, 2, 3, 4, 5, 6], 2, { flip: true }, drawing(0.2), 3)).toEqual([4, 5, 6, 1, 2, 3]);
    expect(moved([1, 2, 3, 4, 5, 6], 2, { flip: true }, drawing(0.7), 3)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('shifts by a part of the width and fills with zero', () => {
    // Draws: flip, rotation, scale, shift in x (full right), shift in y (none).
    const right = moved([1, 2, 3, 4, 5, 6, 7, 8], 4, { shift: 0.25 }, drawing(0.9, 0.5, 0.5, 1, 0.5));
    expect(right).toEqual([0, 1, 2, 3, 0, 5, 6, 7]);
  });

  it('shifts by half a pixel bilinearly', () => {
    const half = moved([0, 100, 200, 0], 4, { shift: 0.125 }, drawing(0.9, 0.5, 0.5, 1, 0.5));
    expect(half).toEqual([0, 50, 150, 100]);
  });

  it('rotates by a quarter about the centre', () => {
    const turned = moved([1, 2, 3, 4, 5, 6, 7, 8, 9], 3, { rotationDegrees: 90 }, drawing(0.9, 1, 0.5, 0.5, 0.5));
    expect(turned.map(Math.round)).toEqual([7, 4, 1, 8, 5, 2, 9, 6, 3]);
  });

  it('scales about the centre', () => {
    const wider = moved([0, 0, 90, 0, 0], 5, { scale: 0.5 }, drawing(0.9, 0.5, 1, 0.5, 0.5));
    expect(wider.map(Math.round)).toEqual([0, 30, 90, 30, 0]);
  });
});
