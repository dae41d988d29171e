import { ConfigError } from '@bbdistill/common';
import type { ImageBatch } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { holdOut } from './hold-out.js';

/** One image of one pixel each. */
function images(...pixels: number[]): ImageBatch {
  return { count: pixels.length, shape: { height: 1, width: 1, channels: 1 }, pixels: Uint8Array.from(pixels) };
}

const ALL = Array.from({ length: 50 }, (_, n) => n);

describe('images held out', () => {
  it('are so many, and the others keep their order', () => {
    const { kept, heldOut } = holdOut(images(...ALL), 20, 1);
    expect([kept.count, heldOut.count]).toEqual([30, 20]);
    expect([...kept.pixels]).toEqual([...kept.pixels].sort((a, b) => a - b));
    expect([...kept.pixels, ...heldOut.pixels].sort((a, b) => a - b)).toEqual(ALL);
  });

  it('go with their copies: none is on both sides, and none is asked about twice', () => {
    const { kept, heldOut } = holdOut(images(...ALL, ...ALL), 20, 1);
    expect([kept.count, heldOut.count]).toEqual([60, 20]);
    expect([...heldOut.pixels].some((pixel) => kept.pixels.includes(pixel))).toBe(false);
    expect(new Set(heldOut.pixels).size).toBe(20);
  });

  it('are the same ones for a seed, and a prefix of a larger number', () => {
    const ten = [...holdOut(images(...ALL), 10, 7).heldOut.pixels];
    expect([...holdOut(images(...ALL), 20, 7).heldOut.pixels].slice(0, 10)).toEqual(ten);
    expect([...holdOut(images(...ALL), 10, 8).heldOut.pixels]).not.toEqual(ten);
  });

  it.each([
    ['as many as there are', 50],
    ['more than there are', 51],
  ])('%s - refused', (_, count) => {
    expect(() => holdOut(images(...ALL, 0, 0), count, 1)).toThrow(ConfigError);
    expect(() => holdOut(images(...ALL, 0, 0), count, 1)).toThrow(/run\.images has 50 different images/);
  });
});
