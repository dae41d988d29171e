import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Resvg } from '@resvg/resvg-js';
import sharp from 'sharp';
import { pixelsPerImage } from '@bbdistill/common/base';
import type { ImageBatch } from '@bbdistill/common/base';
import type { Figure } from './drawing.js';

/** Samples are shown small; larger images are reduced before they are embedded. */
const MAX_EMBEDDED_SIDE = 160;
/** Dots per unit of the drawing: sharp on dense screens and in print. */
const PNG_SCALE = 2;

// Nothing is drawn twice, and figures aren't worth threads with memory of their own.
sharp.cache(false);
sharp.concurrency(1);

/** Fonts come with the package, because a container has none. */
function fontFiles(): string[] {
  const folder = join(dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json')), 'ttf');
  return ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'].map((name) => join(folder, name));
}

/** A PNG for each figure. */
export async function rasterise(figures: readonly Figure[]): Promise<Uint8Array[]> {
  const drawn: Uint8Array[] = [];
  for (const figure of figures) drawn.push(await draw(figure));
  return drawn;
}

async function draw({ svg, width: units }: Figure): Promise<Uint8Array> {
  const font = { fontFiles: fontFiles(), loadSystemFonts: false, defaultFontFamily: 'DejaVu Sans' };
  const fitTo = { mode: 'width', value: Math.round(units * PNG_SCALE) } as const;
  const { pixels, width, height } = new Resvg(svg, { font, fitTo }).render();
  const raw = { width, height, channels: 4 } as const;
  return sharp(pixels, { raw }).removeAlpha().png().toBuffer();
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
