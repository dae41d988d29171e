import { decodeImages, encodeImages } from '@bbdistill/common';
import type { ImageShard__Output } from '@bbdistill/common/gen/bbdistill/v1/ImageShard.js';
import { describe, expect, it } from 'vitest';
import { MemoryBlobs } from '../../../test/helpers/memory-blobs.js';
import { blobGatherer, evaluationShards } from './evaluation-shards.js';

const SHAPE = { height: 1, width: 2, channels: 1 };

/** Shards of these sizes; image n has the pixels n, n. */
async function setUp(sizes: readonly number[]) {
  const blobs = new MemoryBlobs();
  let next = 0;
  const shards: ImageShard__Output[] = [];
  for (const count of sizes) {
    const pixels = Uint8Array.from({ length: 2 * count }, (_, at) => next + Math.floor(at / 2));
    next += count;
    shards.push({ blob: await blobs.put(encodeImages({ count, shape: SHAPE, pixels })), images: count, shape: SHAPE });
  }
  const chosen = async (limit: number) => {
    const taken = await evaluationShards(shards, limit, blobGatherer(blobs));
    return Promise.all(
      taken.map(async ({ blob, images }) => {
        const { count, pixels } = decodeImages(await blobs.get(blob!.sha256));
        expect(count).toBe(images);
        return Array.from({ length: count }, (_, image) => pixels[2 * image]!);
      }),
    );
  };
  return { shards, blobs, chosen };
}

describe('test images that the teacher is asked about', () => {
  it('a part - is spread over the set, in as few shards as can be', async () => {
    const { chosen } = await setUp([10, 10, 4]);
    expect(await chosen(6)).toEqual([[2, 6, 10, 14, 18, 22]]);
    expect(await chosen(1)).toEqual([[12]]);
    const many = await chosen(23);
    expect(many.map(({ length }) => length)).toEqual([10, 10, 3]);
    expect(new Set(many.flat()).size).toBe(23);
  });

  it('all, or none - are the shards as they are, or none', async () => {
    const { shards, blobs } = await setUp([10, 4]);
    expect(await evaluationShards(shards, 14, blobGatherer(blobs))).toBe(shards);
    expect(await evaluationShards(shards, 1000, blobGatherer(blobs))).toBe(shards);
    expect(await evaluationShards(shards, 0, blobGatherer(blobs))).toEqual([]);
  });
});
