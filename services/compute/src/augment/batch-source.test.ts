import { describe, expect, it } from 'vitest';
import { BatchSource } from './batch-source.js';
import type { NewestImages } from './batch-source.js';

const COUNT = 12;
const BATCH = 4;
const SHAPE = { height: 1, width: 1, channels: 1 };
const OFF = { mixupAlpha: 0, rotationDegrees: 0, shift: 0, flip: false };

function source(newest?: NewestImages, firstStep?: number): BatchSource {
  // Every image says which one it is.
  const pixels = Uint8Array.from({ length: COUNT }, (_, row) => row);
  const rows = { pixels, targets: new Float32Array(COUNT).fill(1) };
  return new BatchSource(rows, {
    count: COUNT,
    shape: SHAPE,
    classes: 1,
    batch: BATCH,
    seed: 5,
    augmentation: OFF,
    newest,
    firstStep,
  });
}

/** How often each image comes up in an epoch. */
function drawsOf(from: BatchSource, epoch: number, firstStep = 0): number[] {
  const draws = Array.from({ length: COUNT }, () => 0);
  const images = new Float32Array(BATCH);
  for (let step = 0; step < from.stepsPerEpoch; step++) {
    from.fill(firstStep + epoch * from.stepsPerEpoch + step, 0, BATCH, { images, targets: new Float32Array(BATCH) });
    for (const value of images) draws[Math.round(value * 255)]!++;
  }
  return draws;
}

describe('batches of a training set', () => {
  it('an epoch goes over every image once', () => {
    const all = source();
    expect(all.stepsPerEpoch).toBe(3);
    for (const epoch of [0, 1, 7]) expect(drawsOf(all, epoch)).toEqual(Array.from({ length: COUNT }, () => 1));
  });

  it('an epoch goes over the newest images as often as asked for', () => {
    const growing = source({ images: 2, draws: 3 });
    expect(growing.stepsPerEpoch).toBe(4);
    for (const epoch of [0, 1, 7]) expect(drawsOf(growing, epoch)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3]);
  });

  it('epochs of a part begin with it', () => {
    const part = source({ images: 2, draws: 3 }, 7);
    for (const epoch of [0, 1]) expect(drawsOf(part, epoch, 7)).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 3, 3]);
  });

  it('no newest images are no others than those of a set that does not grow', () => {
    const order = (from: BatchSource) => {
      const images = new Float32Array(BATCH);
      from.fill(4, 0, BATCH, { images, targets: new Float32Array(BATCH) });
      return [...images];
    };
    expect(order(source({ images: 0, draws: 3 }))).toEqual(order(source()));
  });
});
