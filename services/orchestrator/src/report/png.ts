import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { renderAsync } from '@resvg/resvg-js';
import sharp from 'sharp';
import { pixelsPerImage } from '@bbdistill/common';
import type { ImageBatch } from '@bbdistill/common';
import type { Figure } from './drawing.js';

/** Dots per unit of the drawing: sharp on dense screens and in print. */
const PNG_SCALE = 2;
/** Samples are shown small; larger images are reduced before they are embedded. */
const MAX_EMBEDDED_SIDE = 160;

/** Fonts come with the package, because a container has none. */
function fontFiles(): string[] {
  const folder = join(dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json')), 'ttf');
  return ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'].map((name) => join(folder, name));
}

let drawing: Promise<unknown> = Promise.resolve();

/**
 * Draws and encodes beside the event loop: on it, a report would keep every caller of the API waiting for half a
 * second. One figure at a time, because files are read by the same few threads.
 */
export async function rasterise(figure: Figure): Promise<Uint8Array> {
  const drawn = drawing.then(() => draw(figure));
  drawing = drawn.catch(() => undefined);
  return drawn;
}

async function draw(figure: Figure): Promise<Uint8Array> {
  const font = { fontFiles: fontFiles(), loadSystemFonts: false, defaultFontFamily: 'DejaVu Sans' };
  const fitTo = { mode: 'width', value: Math.round(figure.width * PNG_SCALE) } as const;
  const { pixels, width, height } = await renderAsync(figure.svg, { font, fitTo });
  return sharp(pixels, { raw: { width, height, channels: 4 } })
    .removeAlpha()
    .png()
    .toBuffer();
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
