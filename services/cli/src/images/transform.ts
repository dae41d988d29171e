import sharp from 'sharp';
import { pixelsPerImage } from '@bbdistill/common';
import type { ImageBatch } from '@bbdistill/common';

/** Grey by ITU-R 601 luma, rounded; RGB by repeating grey. Returns the batch itself where nothing is to do. */
export function convertChannels(images: ImageBatch, channels: 1 | 3): ImageBatch {
  const { count, shape, pixels } = images;
  if (shape.channels === channels) return images;
  const points = count * shape.height * shape.width;
  const converted = new Uint8Array(points * channels);
  if (channels === 3) {
    for (let p = 0; p < points; p++) converted.fill(pixels[p]!, 3 * p, 3 * p + 3);
  } else {
    for (let p = 0; p < points; p++) {
      const luma = 299 * pixels[3 * p]! + 587 * pixels[3 * p + 1]! + 114 * pixels[3 * p + 2]!;
      converted[p] = Math.round(luma / 1000);
    }
  }
  return { count, shape: { ...shape, channels }, pixels: converted };
}

/** Stretches every image to the size (Lanczos 3); the aspect ratio is not kept. */
export async function resizeImages(
  images: ImageBatch,
  size: { height: number; width: number },
  signal?: AbortSignal,
): Promise<ImageBatch> {
  const { count, shape, pixels } = images;
  if (shape.height === size.height && shape.width === size.width) return images;
  const channels = shape.channels as 1 | 3;
  const fromBytes = pixelsPerImage(shape);
  const toBytes = size.height * size.width * channels;
  const resized = new Uint8Array(count * toBytes);
  for (let n = 0; n < count; n++) {
    signal?.throwIfAborted();
    const one = pixels.subarray(n * fromBytes, (n + 1) * fromBytes);
    const { data, info } = await sharp(one, { raw: { width: shape.width, height: shape.height, channels } })
      .resize({ ...size, fit: 'fill', kernel: 'lanczos3' })
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    for (let p = 0; p < size.height * size.width; p++)
      for (let c = 0; c < channels; c++) resized[n * toBytes + p * channels + c] = data[p * info.channels + c]!;
  }
  return { count, shape: { ...size, channels }, pixels: resized };
}

/** Copies of the images at these indices, in this order. */
export function selectImages(images: ImageBatch, indices: ArrayLike<number>): ImageBatch {
  const bytes = pixelsPerImage(images.shape);
  const pixels = new Uint8Array(indices.length * bytes);
  for (let i = 0; i < indices.length; i++) {
    pixels.set(images.pixels.subarray(indices[i]! * bytes, (indices[i]! + 1) * bytes), i * bytes);
  }
  return { count: indices.length, shape: images.shape, pixels };
}

/** The labels at these indices, in this order. */
export function selectLabels(labels: Int32Array, indices: ArrayLike<number>): Int32Array {
  return Int32Array.from({ length: indices.length }, (_, i) => labels[indices[i]!]!);
}
