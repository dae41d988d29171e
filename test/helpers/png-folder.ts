import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { tinyImages } from './tiny-images.js';

/** Learnable 12x12 images as PNG files, one folder a class (`class-0`, `class-1`, …). */
export async function writeTinyFolder(folder: string, count: number, classes: number, seed: number): Promise<void> {
  const { pixels, labels, shape } = tinyImages(count, classes, seed);
  const size = shape.height * shape.width;
  for (let n = 0; n < count; n++) {
    const classFolder = join(folder, `class-${labels[n]}`);
    await mkdir(classFolder, { recursive: true });
    const raw = { width: shape.width, height: shape.height, channels: 1 as const };
    const png = await sharp(pixels.subarray(n * size, (n + 1) * size), { raw })
      .png()
      .toBuffer();
    await writeFile(join(classFolder, `${String(n).padStart(4, '0')}.png`), png);
  }
}
