import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { crc32, deflateSync } from 'node:zlib';
import { Resvg } from '@resvg/resvg-js';
import sharp from 'sharp';
import { pixelsPerImage } from '@bbdistill/common/base';
import type { ImageBatch } from '@bbdistill/common/base';
import type { Figure } from './drawing.js';

/** Samples are shown small; larger images are reduced before they are embedded. */
const MAX_EMBEDDED_SIDE = 160;
/** Dots per unit of the drawing: sharp on dense screens and in print. */
const PNG_SCALE = 2;
/** Of a PNG's longer side: four bytes a dot are in memory at once, and a report must fit beside all else there is. */
export const MAX_PNG_SIDE = 4096;

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

async function draw({ svg, ...units }: Figure): Promise<Uint8Array> {
  const font = { fontFiles: fontFiles(), loadSystemFonts: false, defaultFontFamily: 'DejaVu Sans' };
  const longer = units.width >= units.height ? 'width' : 'height';
  const fitTo = { mode: longer, value: Math.min(MAX_PNG_SIDE, Math.round(units[longer] * PNG_SCALE)) } as const;
  const { pixels, width, height } = new Resvg(svg, { font, fitTo }).render();
  const raw = { width, height, channels: 4 } as const;
  return sharp(pixels, { raw }).removeAlpha().png().toBuffer();
}

/** One image of a batch as a `data:` URI. */
export async function pngDataUri(images: ImageBatch, index: number): Promise<string> {
  const { height, width } = images.shape;
  const size = pixelsPerImage(images.shape);
  const pixels = images.pixels.subarray(index * size, (index + 1) * size);
  const raw = { width, height, channels: images.shape.channels as 1 | 3 };
  const bytes =
    Math.max(width, height) <= MAX_EMBEDDED_SIDE
      ? smallPng(raw, pixels)
      : await sharp(pixels, { raw })
          .resize({ width: MAX_EMBEDDED_SIDE, height: MAX_EMBEDDED_SIDE, fit: 'inside' })
          .png({ compressionLevel: 9 })
          .toBuffer();
  return `data:image/png;base64,${bytes.toString('base64')}`;
}

const PNG_SIGNATURE = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1');
const BITS_PER_SAMPLE = 8;
/** PNG's numbers for one grey and three colour samples a pixel. */
const COLOUR_TYPES = { 1: 0, 3: 2 } as const;

/** Setting an image library up takes a hundred times as long as the few pixels themselves, and a report has sixty. */
function smallPng(
  { width, height, channels }: { width: number; height: number; channels: 1 | 3 },
  pixels: Uint8Array,
): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([BITS_PER_SAMPLE, COLOUR_TYPES[channels]], 8);
  const rowBytes = width * channels;
  // Each row follows a byte that says how it is filtered: 0, not at all.
  const rows = Buffer.alloc(height * (rowBytes + 1));
  for (let y = 0; y < height; y++) {
    rows.set(pixels.subarray(y * rowBytes, (y + 1) * rowBytes), y * (rowBytes + 1) + 1);
  }
  return Buffer.concat([
    PNG_SIGNATURE,
    pngChunk('IHDR', header),
    pngChunk('IDAT', deflateSync(rows, { level: 9 })),
    pngChunk('IEND', Buffer.alloc(0)),
  ]);
}

function pngChunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const length = Buffer.alloc(4);
  length.writeUInt32BE(data.length);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(body));
  return Buffer.concat([length, body, sum]);
}
