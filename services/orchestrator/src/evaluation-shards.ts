import { decodeImages, encodeImages, pixelsPerImage } from '@bbdistill/common';
import type { BlobStore, ImageBatch } from '@bbdistill/common';
import type { ImageShard__Output } from '@bbdistill/common/gen/bbdistill/v1/ImageShard.js';

/** Makes shards, of at most so many images each, of the chosen ones of others. */
export type ShardGatherer = (
  chosen: readonly { shard: ImageShard__Output; images: readonly number[] }[],
  imagesPerShard: number,
) => Promise<ImageShard__Output[]>;

/**
 * The shards that hold `limit` of the images, or all. Those are spread evenly over the set: people keep the images of a
 * class side by side, and the first ones would be of a few classes only.
 */
export async function evaluationShards(
  shards: readonly ImageShard__Output[],
  limit: number,
  gather: ShardGatherer,
): Promise<readonly ImageShard__Output[]> {
  const total = shards.reduce((sum, { images }) => sum + images, 0);
  if (limit >= total) return shards;
  if (limit <= 0) return [];
  const wanted = Array.from({ length: limit }, (_, index) => Math.floor(((index + 0.5) * total) / limit));
  let first = 0;
  const chosen = shards.map((shard) => {
    const images = wanted.filter((image) => image >= first && image < first + shard.images).map((at) => at - first);
    first += shard.images;
    return { shard, images };
  });
  const imagesPerShard = Math.max(...shards.map(({ images }) => images));
  return gather(
    chosen.filter(({ images }) => images.length > 0),
    imagesPerShard,
  );
}

export function blobGatherer(blobs: Pick<BlobStore, 'get' | 'put'>): ShardGatherer {
  return async (chosen, imagesPerShard) => {
    const gathered: ImageShard__Output[] = [];
    let pixels: Uint8Array[] = [];
    let shape: ImageBatch['shape'] | undefined;
    const finish = async () => {
      if (!shape || pixels.length === 0) return;
      const images = { count: pixels.length, shape, pixels: Buffer.concat(pixels) };
      gathered.push({ blob: await blobs.put(encodeImages(images)), images: images.count, shape });
      pixels = [];
    };
    for (const { shard, images } of chosen) {
      const batch = decodeImages(await blobs.get(shard.blob?.sha256 ?? ''));
      ({ shape } = batch);
      const size = pixelsPerImage(shape);
      for (const image of images) {
        pixels.push(batch.pixels.subarray(image * size, (image + 1) * size));
        if (pixels.length === imagesPerShard) await finish();
      }
    }
    await finish();
    return gathered;
  };
}
