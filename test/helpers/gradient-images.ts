import type { ImageBatch, ImageShape } from '@bbdistill/common';

/** Images that differ in each pixel and from each other. */
export function gradientImages(count: number, shape: ImageShape = { height: 4, width: 6, channels: 1 }): ImageBatch {
  const size = shape.height * shape.width * shape.channels;
  return { count, shape, pixels: Uint8Array.from({ length: count * size }, (_, at) => (at * 7) % 251) };
}
