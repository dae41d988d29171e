import type { JobProgress } from '@bbdistill/common';
import { readImages } from '@bbdistill/compute';
import type { MixOptions } from '@bbdistill/compute';
import { describe, expect, it } from 'vitest';
import { MemoryBlobs } from '../../../test/helpers/memory-blobs.js';
import { tinyImages } from '../../../test/helpers/tiny-images.js';
import { mixImages, previewMix } from './synthesise.js';

const paper: MixOptions = {
  alpha: 1,
  dropBelow: 0.05,
  mixupShare: 1,
  cutmixShare: 0,
  augmentedShare: 0,
  cvaeShare: 0,
  source: { flip: false, rotationDegrees: 0, shift: 0, scale: 0 },
  seed: 3,
};
const going = { signal: new AbortController().signal, progress: () => undefined };

async function mixed(count: number, options = paper) {
  const blobs = new MemoryBlobs();
  const { shards, dropped } = await mixImages(tinyImages(7), options, count, blobs, going);
  const images = shards.length > 0 ? await readImages(blobs, shards) : { count: 0, pixels: new Uint8Array() };
  return { shards, dropped, images };
}

describe('mixing - counts', () => {
  it('reaches M together with what is left for the CVAE, M no multiple of N', async () => {
    const { shards, dropped, images } = await mixed(1500);
    expect(images.count + dropped).toBe(1500);
    expect(dropped).toBeGreaterThan(50);
    expect(shards.map((shard) => shard.images)).toEqual([1024, images.count - 1024]);
  });

  it('makes a smaller M a prefix of a larger one, shard by shard', async () => {
    const large = await mixed(2600);
    const small = await mixed(1300);
    expect(small.images.pixels).toEqual(large.images.pixels.subarray(0, small.images.pixels.length));
    expect(small.shards[0]).toEqual(large.shards[0]);
  });

  it('can leave everything to the CVAE', async () => {
    const { shards, dropped } = await mixed(20, { ...paper, mixupShare: 0, cvaeShare: 1 });
    expect(shards).toEqual([]);
    expect(dropped).toBe(20);
  });
});

describe('mixing - while it runs', () => {
  it('tells how far it is', async () => {
    const told: JobProgress[] = [];
    const hooks = { ...going, progress: (progress: JobProgress) => void told.push(progress) };
    await mixImages(tinyImages(3), paper, 600, new MemoryBlobs(), hooks);
    expect(told.map(({ done }) => done)).toEqual([256, 512, 600]);
    expect(told.every(({ unit, total }) => unit === 'images' && total === 600)).toBe(true);
  });

  it('stops when it is cancelled', async () => {
    const stop = new AbortController();
    const hooks = { signal: stop.signal, progress: () => stop.abort() };
    await expect(mixImages(tinyImages(3), paper, 5000, new MemoryBlobs(), hooks)).rejects.toMatchObject({
      kind: 'cancelled',
    });
  });
});

describe('mixing - preview', () => {
  it('shows the images that would be stored first', async () => {
    const { images } = await mixed(100);
    const preview = previewMix(tinyImages(7), paper, 100, 8);
    expect(preview).toEqual(images.pixels.subarray(0, 8 * 144));
  });

  it('shows fewer where there are fewer', () => {
    expect(previewMix(tinyImages(7), { ...paper, mixupShare: 0, cvaeShare: 1 }, 30, 8)).toHaveLength(0);
  });
});
