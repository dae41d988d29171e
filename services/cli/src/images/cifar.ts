import { join } from 'node:path';
import { listFolder, printable, readBounded } from './bytes.js';
import { ImageFileError, checkPixelBytes } from './types.js';
import type { RawImages } from './types.js';

const SIDE = 32;
const PLANE = SIDE * SIDE;
const PIXELS = 3 * PLANE;
const SHAPE = { height: SIDE, width: SIDE, channels: 3 };

interface Variant {
  name: string;
  /** Bytes before the pixels; the last one is the class. */
  labelBytes: number;
  limits: readonly number[];
}

const VARIANTS: readonly Variant[] = [
  { name: 'CIFAR-10', labelBytes: 1, limits: [10] },
  { name: 'CIFAR-100', labelBytes: 2, limits: [20, 100] },
];

function fits(bytes: Uint8Array, variant: Variant): boolean {
  const record = variant.labelBytes + PIXELS;
  if (bytes.length === 0 || bytes.length % record !== 0) return false;
  for (let at = 0; at < bytes.length; at += record) {
    if (variant.limits.some((limit, i) => bytes[at + i]! >= limit)) return false;
  }
  return true;
}

/** One binary batch of CIFAR-10 (3073-byte records) or CIFAR-100 (3074, fine labels). @throws ImageFileError */
export function parseCifar(file: string, bytes: Uint8Array, maxPixelBytes: number): RawImages {
  const fitting = VARIANTS.filter((variant) => fits(bytes, variant));
  const variant = fitting[0];
  if (!variant || fitting.length > 1) throw notCifar(file, bytes);
  const record = variant.labelBytes + PIXELS;
  const count = bytes.length / record;
  checkPixelBytes(file, count, SHAPE, maxPixelBytes);
  const pixels = new Uint8Array(count * PIXELS);
  const labels = new Int32Array(count);
  for (let n = 0; n < count; n++) {
    const from = n * record + variant.labelBytes;
    labels[n] = bytes[from - 1]!;
    for (let c = 0; c < 3; c++)
      for (let p = 0; p < PLANE; p++) pixels[n * PIXELS + 3 * p + c] = bytes[from + c * PLANE + p]!;
  }
  return { images: { count, shape: SHAPE, pixels }, labels, notes: [] };
}

function notCifar(file: string, bytes: Uint8Array): ImageFileError {
  const whole = VARIANTS.find((variant) => bytes.length > 0 && bytes.length % (variant.labelBytes + PIXELS) === 0);
  if (whole) {
    return new ImageFileError(file, `a label is out of range for ${whole.name}; is this a CIFAR batch?`, {
      code: 'LABEL_RANGE',
    });
  }
  return new ImageFileError(
    file,
    `${bytes.length} bytes are no whole number of CIFAR-10 (3073) or CIFAR-100 (3074 bytes) records`,
    { code: 'IMAGE_TRUNCATED' },
  );
}

export function isCifarFolder(names: readonly string[]): boolean {
  return trainingBatches(names).length > 0;
}

/** The training batches in a folder's names; a test batch is read by naming its file. */
function trainingBatches(names: readonly string[]): string[] {
  const batches = names.filter((name) => /^data_batch_\d+\.bin$/.test(name));
  return batches.length > 0 ? batches : names.filter((name) => name === 'train.bin');
}

/** Class names lie beside the batches as text. */
async function classNamesBeside(folder: string, names: readonly string[]): Promise<string[] | undefined> {
  const found = ['batches.meta.txt', 'fine_label_names.txt'].find((name) => names.includes(name));
  if (!found) return undefined;
  const text = Buffer.from(await readBounded(join(folder, found), 65_536)).toString('utf8');
  return text.split(/\r?\n/).filter((line) => line.trim() !== '');
}

/** All training batches of a folder, or one batch file. @throws ImageFileError */
export async function readCifar(
  folder: string,
  files: readonly string[] | undefined,
  maxPixelBytes: number,
): Promise<RawImages> {
  const names = await listFolder(folder);
  const batches = files ?? trainingBatches(names);
  if (batches.length === 0) {
    throw new ImageFileError(printable(folder), 'holds neither data_batch_1.bin … nor train.bin', {
      code: 'IMAGE_NONE',
    });
  }
  const parts: RawImages[] = [];
  let left = maxPixelBytes;
  for (const name of batches) {
    const path = join(folder, name);
    const part = parseCifar(printable(path), await readBounded(path, left * 2), left);
    left -= part.images.pixels.length;
    parts.push(part);
  }
  const count = parts.reduce((sum, part) => sum + part.images.count, 0);
  const pixels = new Uint8Array(count * PIXELS);
  const labels = new Int32Array(count);
  let at = 0;
  for (const part of parts) {
    pixels.set(part.images.pixels, at * PIXELS);
    labels.set(part.labels!, at);
    at += part.images.count;
  }
  const classNames = await classNamesBeside(folder, names);
  return { images: { count, shape: SHAPE, pixels }, labels, ...(classNames ? { classNames } : {}), notes: [] };
}
