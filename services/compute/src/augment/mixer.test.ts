import { InvalidArgumentError, RandomStream } from '@bbdistill/common';
import type { ImageBatch } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { ImageMixer } from './mixer.js';
import type { MixKind, MixOptions } from './mixer.js';
import { NO_SOURCE_AUGMENTATION } from './source.js';

const shape = { height: 4, width: 6, channels: 1 };
const pixels = 24;

const paper: MixOptions = {
  alpha: 1,
  dropBelow: 0.05,
  mixupShare: 1,
  cutmixShare: 0,
  augmentedShare: 0,
  cvaeShare: 0,
  source: NO_SOURCE_AUGMENTATION,
  seed: 7,
};

/** Image i is one flat grey of value `greys[i]`. */
function flatImages(greys: number[]): ImageBatch {
  return { count: greys.length, shape, pixels: Uint8Array.from(greys.flatMap((g) => Array<number>(pixels).fill(g))) };
}

function noise(count: number): ImageBatch {
  const random = new RandomStream(1, 'noise');
  return { count, shape, pixels: Uint8Array.from({ length: count * pixels }, () => random.integer(256)) };
}

function make(mixer: ImageMixer, index: number): { kind: MixKind; image: Uint8Array } {
  const image = new Uint8Array(pixels);
  return { kind: mixer.make(index, image, 0), image };
}

describe('mixer - MixUp', () => {
  it('is λ·xi + (1−λ)·xj with λ of two decimals, between the two images', () => {
    const mixer = new ImageMixer(flatImages([0, 200]), paper);
    const possible = new Set(Array.from({ length: 89 }, (_, at) => Math.round(200 * ((at + 6) / 100))));
    for (let index = 0; index < 200; index++) {
      const { kind, image } = make(mixer, index);
      if (kind === 'dropped') continue;
      expect(possible.has(image[0]!)).toBe(true);
      expect(new Set(image).size).toBe(1);
    }
  });

  it('drops λ up to 0.05 and from 0.95 on, about 11 % of the indices', () => {
    const mixer = new ImageMixer(flatImages([0, 100, 200]), paper);
    let dropped = 0;
    for (let index = 0; index < 4000; index++) if (make(mixer, index).kind === 'dropped') dropped++;
    expect(dropped / 4000).toBeGreaterThan(0.09);
    expect(dropped / 4000).toBeLessThan(0.13);
  });

  it('never mixes an image with itself', () => {
    const mixer = new ImageMixer(flatImages([0, 255]), { ...paper, dropBelow: 0.2 });
    for (let index = 0; index < 500; index++) {
      const { kind, image } = make(mixer, index);
      if (kind === 'mixup') expect(image[0]! > 0 && image[0]! < 255).toBe(true);
    }
  });

  it('drops nothing where drop_below is 0, and then asks no near copy of an image', () => {
    const mixer = new ImageMixer(flatImages([0, 200]), { ...paper, dropBelow: 0 });
    for (let index = 0; index < 500; index++) {
      const { kind, image } = make(mixer, index);
      expect(kind).toBe('mixup');
      expect(image[0]!).toBeGreaterThanOrEqual(10);
      expect(image[0]!).toBeLessThanOrEqual(190);
    }
  });

  it('does not depend on the order in which images are made', () => {
    const images = noise(5);
    const forward = new ImageMixer(images, paper);
    const backward = new ImageMixer(images, paper);
    const first = Array.from({ length: 50 }, (_, index) => make(forward, index));
    const second = Array.from({ length: 50 }, (_, at) => make(backward, 49 - at)).reverse();
    expect(second).toEqual(first);
  });

  it('makes other images with another seed', () => {
    const images = noise(5);
    const one = make(new ImageMixer(images, { ...paper, dropBelow: 0 }), 0);
    const other = make(new ImageMixer(images, { ...paper, dropBelow: 0, seed: 8 }), 0);
    expect(other.image).not.toEqual(one.image);
  });
});

describe('mixer - shares', () => {
  const shares: MixOptions = {
    ...paper,
    dropBelow: 0,
    mixupShare: 2,
    cutmixShare: 1,
    augmentedShare: 1,
    source: { flip: true, rotationDegrees: 6, shift: 0.05, scale: 0.1 },
  };

  it('come out as asked, whatever their scale', () => {
    const mixer = new ImageMixer(noise(4), shares);
    const counts: Record<MixKind, number> = { mixup: 0, cutmix: 0, augmented: 0, dropped: 0 };
    for (let index = 0; index < 4000; index++) counts[make(mixer, index).kind]++;
    expect(counts.mixup / 4000).toBeCloseTo(0.5, 1);
    expect(counts.cutmix / 4000).toBeCloseTo(0.25, 1);
    expect(counts.augmented / 4000).toBeCloseTo(0.25, 1);
    expect(counts.dropped).toBe(0);
  });

  it('leaves the share of the CVAE', () => {
    const mixer = new ImageMixer(noise(4), { ...shares, cvaeShare: 4 });
    let dropped = 0;
    for (let index = 0; index < 2000; index++) if (make(mixer, index).kind === 'dropped') dropped++;
    expect(dropped / 2000).toBeCloseTo(0.5, 1);
  });
});

describe('mixer - CutMix', () => {
  const cutmix: MixOptions = { ...paper, mixupShare: 0, cutmixShare: 1, dropBelow: 0.1 };

  it('pastes a box of the one image hard into the other', () => {
    const mixer = new ImageMixer(flatImages([10, 240]), cutmix);
    let mixed = 0;
    for (let index = 0; index < 200; index++) {
      const { kind, image } = make(mixer, index);
      if (kind === 'dropped') continue;
      expect([...image].every((value) => value === 10 || value === 240)).toBe(true);
      if (new Set(image).size === 2) mixed++;
    }
    expect(mixed).toBeGreaterThan(100);
  });
});

describe('mixer - refusals', () => {
  it.each<[string, Partial<MixOptions>, RegExp]>([
    ['alpha 0', { alpha: 0 }, /alpha is 0/],
    ['drop_below 0.5', { dropBelow: 0.5 }, /drop_below is 0\.5/],
    ['a negative share', { cutmixShare: -1 }, /cutmix_share is -1/],
    ['a share that is no number', { mixupShare: Number.NaN }, /mixup_share is NaN/],
    ['no share at all', { mixupShare: 0 }, /all shares are 0/],
    [
      'rotation out of range',
      { source: { ...NO_SOURCE_AUGMENTATION, rotationDegrees: 200 } },
      /rotation_degrees is 200/,
    ],
    ['shift out of range', { source: { ...NO_SOURCE_AUGMENTATION, shift: 1.5 } }, /shift is 1\.5/],
    ['scale out of range', { source: { ...NO_SOURCE_AUGMENTATION, scale: 1 } }, /scale is 1/],
    ['augmented originals without a move', { augmentedShare: 1 }, /moves nothing/],
  ])('of %s', (_name, change, message) => {
    const attempt = () => new ImageMixer(noise(2), { ...paper, ...change });
    expect(attempt).toThrow(InvalidArgumentError);
    expect(attempt).toThrow(message);
  });

  it('of a single image for MixUp', () => {
    expect(() => new ImageMixer(noise(1), paper)).toThrow(/need two images or more, there is 1/);
  });

  it('of no image', () => {
    const moved = { ...paper, mixupShare: 0, augmentedShare: 1, source: { ...NO_SOURCE_AUGMENTATION, flip: true } };
    expect(() => new ImageMixer(noise(0), moved)).toThrow(/no image/);
  });
});
