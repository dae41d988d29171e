import { decodeImages, encodeImages, pixelsPerImage } from '@bbdistill/common';
import type { BlobStore } from '@bbdistill/common';
import type { ImageShard__Output } from '@bbdistill/common/gen/bbdistill/v1/ImageShard.js';

/** Makes a shard of the first images of another one. */
export type ShardSlicer = (shard: ImageShard__Output, images: number) => Promise<ImageShard__Output>;

/** The shards that hold the first `limit` images; the last one is cut where needed. */
export async function evaluationShards(
  shards: readonly ImageShard__Output[],
  limit: number,
  slice: ShardSlicer,
): Promise<ImageShard__Output[]> {
  const taken: ImageShard__Output[] = [];
  let left = limit;
  for (const shard of shards) {
    if (left <= 0) break;
    taken.push(shard.images <= left ? shard : await slice(shard, left));
    left -= shard.images;
  }
  return taken;
}

export function blobSlicer(blobs: BlobStore): ShardSlicer {
  return async (shard, images) => {
    const batch = decodeImages(await blobs.get(shard.blob?.sha256 ?? ''));
    const pixels = batch.pixels.subarray(0, images * pixelsPerImage(batch.shape));
    const blob = await blobs.put(encodeImages({ count: images, shape: batch.shape, pixels }));
    return { blob, images, shape: batch.shape };
  };
}
