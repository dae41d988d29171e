import sharp from 'sharp';
import { pixelsPerImage, runWorkerTask } from '@bbdistill/common';
import type { ImageBatch } from '@bbdistill/common';
import type { Figure } from './drawing.js';

/** Samples are shown small; larger images are reduced before they are embedded. */
const MAX_EMBEDDED_SIDE = 160;

// Nothing is drawn twice, and figures aren't worth threads with memory of their own.
sharp.cache(false);
sharp.concurrency(1);

const DRAW = new URL('./draw.ts', import.meta.url);

let drawing: Promise<unknown> = Promise.resolve();

/**
 * Draws and encodes in a thread of its own: on the event loop, a report would keep every caller of the API waiting for
 * half a second. One report at a time, and the thread goes with it: its forty megabytes are given back only then.
 * @returns a PNG for each figure
 * @throws BbdError where they can't be drawn
 */
export async function rasterise(figures: readonly Figure[]): Promise<Uint8Array[]> {
  const { signal } = new AbortController();
  const task = { script: DRAW, input: figures, ownThread: true, signal };
  const drawn = drawing.then(() => runWorkerTask<readonly Figure[], Uint8Array[]>(task));
  drawing = drawn.catch(() => undefined);
  return drawn;
}

/** One image of a batch as a `data:` URI. */
export async function pngDataUri(images: ImageBatch, index: number): Promise<string> {
  const { height, width } = images.shape;
  const size = pixelsPerImage(images.shape);
  const raw = { width, height, channels: images.shape.channels as 1 | 3 };
  const bytes = await sharp(images.pixels.subarray(index * size, (index + 1) * size), { raw })
    .resize({ width: MAX_EMBEDDED_SIDE, height: MAX_EMBEDDED_SIDE, fit: 'inside', withoutEnlargement: true })
    .png({ compressionLevel: 9 })
    .toBuffer();
  return `data:image/png;base64,${bytes.toString('base64')}`;
}
