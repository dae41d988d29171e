import { DataLossError, decodeImages, encodeAnswers, sha256Hex } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { MemoryBlobs } from '../../../../test/helpers/memory-blobs.js';
import { storeLabelled, tinyImages } from '../../../../test/helpers/tiny-images.js';
import { ShardWriter, readAnswerHashes, readImages, readLabelled } from './shards.js';

describe('shards - writing', () => {
  it('cuts at 1024 images and keeps their order', async () => {
    const blobs = new MemoryBlobs();
    const writer = new ShardWriter(blobs, { height: 1, width: 2, channels: 1 });
    for (let n = 0; n < 1500; n++) {
      const { buffer, offset } = writer.slot;
      buffer.set([n % 256, n >> 8], offset);
      await writer.commit();
    }
    expect(writer.count).toBe(1500);
    const shards = await writer.finish();
    expect(shards.map(({ images }) => images)).toEqual([1024, 476]);
    const { count, pixels } = await readImages(blobs, shards);
    expect(count).toBe(1500);
    expect([...pixels.subarray(2 * 1234, 2 * 1234 + 2)]).toEqual([1234 % 256, 1234 >> 8]);
    expect(decodeImages(await blobs.get(shards[1]!.blob.sha256)).pixels).toHaveLength(2 * 476);
  });

  it('cuts earlier where the images are large', async () => {
    const writer = new ShardWriter(new MemoryBlobs(), { height: 4096, width: 4096, channels: 1 });
    expect(writer.slot.buffer.length).toBe(64 * 1024 * 1024);
    for (let n = 0; n < 5; n++) await writer.commit();
    expect((await writer.finish()).map(({ images }) => images)).toEqual([4, 1]);
  });

  it('gives no shard where nothing was written', async () => {
    const writer = new ShardWriter(new MemoryBlobs(), { height: 1, width: 1, channels: 1 });
    expect(await writer.finish()).toEqual([]);
  });
});

describe('shards - reading answers', () => {
  it('joins shards in the order given and leaves unanswered images out', async () => {
    const blobs = new MemoryBlobs();
    const images = tinyImages(10);
    const shards = await storeLabelled(blobs, images, { perShard: 4, unanswered: [1, 9] });
    const read = await readLabelled(blobs, shards, 3);
    expect(read).toMatchObject({ count: 8, classes: 3, unanswered: 2 });
    const kept = [0, 2, 3, 4, 5, 6, 7, 8];
    expect([...read.pixels]).toEqual(kept.flatMap((n) => [...images.pixels.subarray(n * 144, (n + 1) * 144)]));
    expect([...read.targets]).toEqual(kept.flatMap((n) => [...images.targets.subarray(n * 3, (n + 1) * 3)]));
  });

  it('tells the same answers with the hashes of the images', async () => {
    const blobs = new MemoryBlobs();
    const images = tinyImages(6);
    const shards = await storeLabelled(blobs, images, { perShard: 4, unanswered: [1] });
    const { hashes, ...read } = await readAnswerHashes(blobs, shards, 3);
    const { count, classes, targets } = await readLabelled(blobs, shards, 3);
    expect(read).toEqual({ count, classes, targets });
    const expected = [0, 2, 3, 4, 5].map((n) => sha256Hex(images.pixels.subarray(n * 144, (n + 1) * 144)));
    expect(Buffer.from(hashes).toString('hex')).toBe(expected.join(''));
  });

  it('refuses shards of which nothing was answered', async () => {
    const blobs = new MemoryBlobs();
    const shards = await storeLabelled(blobs, tinyImages(2), { unanswered: [0, 1] });
    await expect(readLabelled(blobs, shards, 3)).rejects.toMatchObject({ code: 'NOTHING_ANSWERED' });
    await expect(readAnswerHashes(blobs, shards, 3)).rejects.toMatchObject({ code: 'NOTHING_ANSWERED' });
  });

  it('refuses answers of another number of classes', async () => {
    const blobs = new MemoryBlobs();
    const shards = await storeLabelled(blobs, tinyImages(4));
    await expect(readLabelled(blobs, shards, 4)).rejects.toThrow(/have 3 classes, but 4 were declared/);
  });

  it('refuses a shard with fewer answers than images', async () => {
    const blobs = new MemoryBlobs();
    const [shard] = await storeLabelled(blobs, tinyImages(4));
    const few = await blobs.put(
      encodeAnswers({ count: 1, classes: 3, targets: Float32Array.of(1, 0, 0), answered: Uint8Array.of(1) }),
    );
    const damaged = { ...shard!, answers: { ...shard!.answers, blob: few } };
    await expect(readLabelled(blobs, [damaged], 3)).rejects.toBeInstanceOf(DataLossError);
  });
});

describe('shards - bad references', () => {
  it('refuses no shard at all', async () => {
    await expect(readImages(new MemoryBlobs(), [])).rejects.toThrow(/no shard of images was given/);
  });

  it('refuses images of two shapes', async () => {
    const blobs = new MemoryBlobs();
    const [{ images }] = (await storeLabelled(blobs, tinyImages(2))) as [Awaited<ReturnType<typeof storeLabelled>>[0]];
    const other = { ...images, shape: { ...images.shape, width: 8 } };
    await expect(readImages(blobs, [images, other])).rejects.toThrow(/12x12x1 and 12x8x1/);
  });

  it('refuses a reference without a blob, and one that says another count', async () => {
    const blobs = new MemoryBlobs();
    const [{ images }] = (await storeLabelled(blobs, tinyImages(2))) as [Awaited<ReturnType<typeof storeLabelled>>[0]];
    await expect(readImages(blobs, [{ ...images, blob: null }])).rejects.toThrow(/lacks its field blob/);
    await expect(readImages(blobs, [{ ...images, images: 3 }])).rejects.toThrow(/holds 2 images of 12x12x1/);
  });
});
