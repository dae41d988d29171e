import { pixelsPerImage } from '@bbdistill/common/base';
import type { ImageShape, RandomStream } from '@bbdistill/common/base';
import { COLUMN_X, COLUMN_Y, FROM_X, FROM_Y, LAMBDA, NUMBERS_PER_DRAW, ROW_X, ROW_Y } from './image-pipeline.js';
import type { ImagePipeline } from './image-pipeline.js';

/** What happens to a training batch after the answers are there. All zero / false: nothing. */
export interface BatchAugmentation {
  /** MixUp of two batches, images and answers, λ ~ Beta(alpha, alpha) per image; 0 = off (paper: 1). */
  mixupAlpha: number;
  /** Rotation drawn from U(-d, d), degrees (paper: 10). */
  rotationDegrees: number;
  /** Shift drawn from U(-s, s), as a part of the size (paper: 0.1). */
  shift: number;
  /** Mirror left-right with probability 1/2. */
  flip: boolean;
}

/** A labelled training set in memory. */
export interface TrainingRows {
  /** uint8 [N,H,W,C] */
  pixels: Uint8Array;
  /** [N,K] */
  targets: Float32Array;
}

const UINT8_TO_UNIT = 1 / 255;

/** Where a batch goes: the buffers of a classifier. */
export interface BatchBuffers {
  /** [count,H,W,C], gets values 0..1 */
  images: Float32Array;
  /** [count,K] */
  targets: Float32Array;
  /** Fills `images` itself, where it is there. */
  pipeline?: ImagePipeline;
}

/**
 * The paper's augmentation on the fly: MixUp of two batches, then rotation and shift as Keras' ImageDataGenerator does
 * them (bilinear, nearest fill), then a flip. What is drawn doesn't depend on who computes with it. Allocates nothing
 * per batch.
 */
export class BatchAugmenter {
  readonly #bytes: Buffer;
  readonly #targets: Float32Array;
  readonly #shape: ImageShape;
  readonly #classes: number;
  readonly #options: BatchAugmentation;
  readonly #pixels: number;
  readonly #mixes: boolean;
  readonly #warps: boolean;
  readonly #mixed: Float32Array;
  readonly #draw = new Float64Array(NUMBERS_PER_DRAW);

  constructor({ pixels, targets }: TrainingRows, shape: ImageShape, classes: number, options: BatchAugmentation) {
    // A buffer copies a row without a view of it, so that no step leaves anything behind.
    this.#bytes = Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength);
    this.#targets = targets;
    this.#shape = shape;
    this.#classes = classes;
    this.#options = options;
    this.#pixels = pixelsPerImage(shape);
    this.#mixes = options.mixupAlpha > 0;
    this.#warps = options.rotationDegrees > 0 || options.shift > 0 || options.flip;
    // A row and a pixel more: a sample on the last row or column reads one beyond it, with weight 0.
    this.#mixed = new Float32Array(this.#pixels + (shape.width + 1) * shape.channels);
  }

  /** Passes over the draws of so many images, so that a part of a batch is the same as in the whole. */
  skip(count: number, random: RandomStream): void {
    for (let b = 0; b < count; b++) this.#drawInto(this.#draw, 0, random);
  }

  /**
   * Fills a batch.
   * @param rows row numbers of the batch, from `start` on
   * @param partners row numbers to mix with, from `start` on; not read where MixUp is off
   */
  fill(
    rows: Uint32Array,
    partners: Uint32Array,
    start: number,
    count: number,
    buffers: BatchBuffers,
    random: RandomStream,
  ): void {
    const { pipeline, targets } = buffers;
    const draws = pipeline ? pipeline.draws : this.#draw;
    const stride = pipeline ? NUMBERS_PER_DRAW : 0;
    for (let b = 0; b < count; b++) {
      const row = rows[start + b]!;
      const partner = this.#mixes ? partners[start + b]! : row;
      this.#drawInto(draws, b * stride, random);
      this.#fillTargets(row, partner, draws[b * stride + LAMBDA]!, targets, b);
      if (pipeline) this.#copy(row, partner, pipeline, b);
      else this.#makeImage(row, partner, buffers.images, b);
    }
    pipeline?.fill(count, this.#mixes, this.#warps);
  }

  #copy(row: number, partner: number, { first, second }: ImagePipeline, b: number): void {
    const pixels = this.#pixels;
    this.#bytes.copy(first, b * pixels, row * pixels, (row + 1) * pixels);
    if (this.#mixes) this.#bytes.copy(second, b * pixels, partner * pixels, (partner + 1) * pixels);
  }

  #makeImage(row: number, partner: number, images: Float32Array, b: number): void {
    const pixels = this.#pixels;
    const [to, at] = this.#warps ? [this.#mixed, 0] : [images, b * pixels];
    if (this.#mixes) mixPixels(this.#bytes, row * pixels, partner * pixels, this.#draw[LAMBDA]!, to, at, pixels);
    else scalePixels(this.#bytes, row * pixels, to, at, pixels);
    if (this.#warps) warp(this.#mixed, images, b * pixels, this.#shape, this.#draw);
  }

  #fillTargets(row: number, partner: number, lambda: number, to: Float32Array, b: number): void {
    const classes = this.#classes;
    const from = this.#targets;
    if (!this.#mixes) {
      for (let k = 0; k < classes; k++) to[b * classes + k] = from[row * classes + k]!;
      return;
    }
    for (let k = 0; k < classes; k++) {
      to[b * classes + k] = lambda * from[row * classes + k]! + (1 - lambda) * from[partner * classes + k]!;
    }
  }

  #drawInto(draws: Float64Array, at: number, random: RandomStream): void {
    const { mixupAlpha, rotationDegrees, shift, flip } = this.#options;
    if (this.#mixes) draws[at + LAMBDA] = random.beta(mixupAlpha, mixupAlpha);
    if (!this.#warps) return;
    const { height, width } = this.#shape;
    const angle = (random.between(-rotationDegrees, rotationDegrees) * Math.PI) / 180;
    const shiftY = random.between(-shift, shift) * height;
    const shiftX = random.between(-shift, shift) * width;
    const mirrored = flip && random.uniform() < 0.5;
    const cos = Math.cos(angle);
    const sin = Math.sin(angle);
    const centreY = (height - 1) / 2;
    const centreX = (width - 1) / 2;
    const stepX = mirrored ? -1 : 1;
    const firstX = (mirrored ? width - 1 : 0) - centreX + shiftX;
    draws[at + FROM_Y] = sin * firstX - cos * (centreY - shiftY) + centreY;
    draws[at + FROM_X] = cos * firstX + sin * (centreY - shiftY) + centreX;
    draws[at + COLUMN_Y] = sin * stepX;
    draws[at + COLUMN_X] = cos * stepX;
    draws[at + ROW_Y] = cos;
    draws[at + ROW_X] = -sin;
  }
}

function scalePixels(from: Uint8Array, fromAt: number, to: Float32Array, toAt: number, length: number): void {
  for (let p = 0; p < length; p++) to[toAt + p] = from[fromAt + p]! * UINT8_TO_UNIT;
}

function mixPixels(
  from: Uint8Array,
  firstAt: number,
  secondAt: number,
  lambda: number,
  to: Float32Array,
  toAt: number,
  length: number,
): void {
  const first = lambda * UINT8_TO_UNIT;
  const second = (1 - lambda) * UINT8_TO_UNIT;
  for (let p = 0; p < length; p++) to[toAt + p] = first * from[firstAt + p]! + second * from[secondAt + p]!;
}

function warp(from: Float32Array, to: Float32Array, toAt: number, shape: ImageShape, draw: Float64Array): void {
  const { height, width, channels } = shape;
  const fromY = draw[FROM_Y]!;
  const fromX = draw[FROM_X]!;
  const columnY = draw[COLUMN_Y]!;
  const columnX = draw[COLUMN_X]!;
  const rowY = draw[ROW_Y]!;
  const rowX = draw[ROW_X]!;
  const maxY = height - 1;
  const maxX = width - 1;
  const line = width * channels;
  let target = toAt;
  for (let row = 0; row < height; row++) {
    let y = fromY + row * rowY;
    let x = fromX + row * rowX;
    for (let column = 0; column < width; column++) {
      const insideY = y < 0 ? 0 : y > maxY ? maxY : y;
      const insideX = x < 0 ? 0 : x > maxX ? maxX : x;
      const top = insideY | 0;
      const left = insideX | 0;
      const partY = insideY - top;
      const partX = insideX - left;
      const source = top * line + left * channels;
      for (let c = 0; c < channels; c++) {
        const at = source + c;
        const upperLeft = from[at]!;
        const lowerLeft = from[at + line]!;
        const upper = upperLeft + partX * (from[at + channels]! - upperLeft);
        const lower = lowerLeft + partX * (from[at + line + channels]! - lowerLeft);
        to[target++] = upper + partY * (lower - upper);
      }
      y += columnY;
      x += columnX;
    }
  }
}
