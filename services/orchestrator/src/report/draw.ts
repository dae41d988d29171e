import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Resvg } from '@resvg/resvg-js';
import sharp from 'sharp';
import { serveWorkerTask } from '@bbdistill/common/base';
import type { Figure } from './drawing.js';

/** Dots per unit of the drawing: sharp on dense screens and in print. */
const PNG_SCALE = 2;

/** Fonts come with the package, because a container has none. */
function fontFiles(): string[] {
  const folder = join(dirname(createRequire(import.meta.url).resolve('dejavu-fonts-ttf/package.json')), 'ttf');
  return ['DejaVuSans.ttf', 'DejaVuSans-Bold.ttf'].map((name) => join(folder, name));
}

serveWorkerTask<Figure[], Uint8Array[]>(async (figures) => {
  const drawn: Uint8Array[] = [];
  for (const figure of figures) drawn.push(await draw(figure));
  return drawn;
});

async function draw({ svg, width: units }: Figure): Promise<Uint8Array> {
  const font = { fontFiles: fontFiles(), loadSystemFonts: false, defaultFontFamily: 'DejaVu Sans' };
  const fitTo = { mode: 'width', value: Math.round(units * PNG_SCALE) } as const;
  const { pixels, width, height } = new Resvg(svg, { font, fitTo }).render();
  const raw = { width, height, channels: 4 } as const;
  return sharp(pixels, { raw }).removeAlpha().png().toBuffer();
}
