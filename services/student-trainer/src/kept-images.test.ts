import { readLabelled } from '@bbdistill/compute';
import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryBlobs } from '../../../test/helpers/memory-blobs.js';
import { storeLabelled, tinyImages } from '../../../test/helpers/tiny-images.js';
import { waitFor } from '../../../test/helpers/wait-for.js';
import { KeptImages } from './kept-images.js';

const CLASSES = 3;
const HOUR_MS = 3_600_000;

class CountedBlobs extends MemoryBlobs {
  reads = 0;

  override get(sha256: string): Promise<Uint8Array> {
    this.reads++;
    return super.get(sha256);
  }
}

describe('images of a training that grows', () => {
  let blobs: CountedBlobs;
  let shards: Awaited<ReturnType<typeof storeLabelled>>;
  beforeEach(async () => {
    blobs = new CountedBlobs();
    shards = await storeLabelled(blobs, tinyImages(20, CLASSES), { perShard: 4, unanswered: [2, 9] });
  });

  it('kept images - each part reads what is new to it, and has all', async () => {
    const images = new KeptImages(blobs, HOUR_MS);
    for (const [count, newShards] of [
      [2, 2],
      [3, 1],
      [5, 2],
    ] as const) {
      const part = shards.slice(0, count);
      const expected = await readLabelled(blobs, part, CLASSES);
      blobs.reads = 0;
      expect(await images.read(part, CLASSES, count < 5)).toEqual(expected);
      // Images and answers.
      expect(blobs.reads).toBe(2 * newShards);
    }
    expect(images.size).toBe(0);
  });

  it('kept images - another list of shards, or of classes, takes nothing from them', async () => {
    const images = new KeptImages(blobs, HOUR_MS);
    await images.read(shards.slice(0, 2), CLASSES, true);
    const others = [...shards].reverse();
    const expected = await readLabelled(blobs, others, CLASSES);
    blobs.reads = 0;
    expect(await images.read(others, CLASSES, false)).toEqual(expected);
    expect(blobs.reads).toBe(2 * others.length);
    await expect(images.read(shards, CLASSES + 1, false)).rejects.toThrow(/have 3 classes, but 4/);
    expect(images.size).toBe(1);
  });

  it('kept images - no more than fit, and only for a while', async () => {
    const { pixels, targets } = await readLabelled(blobs, shards.slice(3, 5), CLASSES);
    const images = new KeptImages(blobs, 20, pixels.byteLength + targets.byteLength);
    await images.read(shards.slice(0, 2), CLASSES, true);
    await images.read(shards.slice(3, 5), CLASSES, true);
    expect(images.size).toBe(1);
    await waitFor('the images to be forgotten', () => images.size === 0);
  });
});
