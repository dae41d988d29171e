import { pixelsPerImage } from '@bbdistill/common';
import type { ImageShape, RandomStream } from '@bbdistill/common';

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

/** What was drawn for one image. */
interface Draw {
  /** Part of the image itself in the mix; 1 where MixUp is off. */
  lambda: number;
  move: Affine;
}

/** Where a target pixel comes from: (fromX, fromY) for the first, plus the steps of one row and one column. */
interface Affine {
  fromY: number;
  fromX: number;
  columnY: number;
  columnX: number;
  rowY: number;
  rowX: number;
}

/**
 * The paper's augmentation on the fly: MixUp of two batches, then rotation and shift as Keras' ImageDataGenerator does
 * them (bilinear, nearest fill), then a flip. Allocates nothing per batch.
 */
export class BatchAugmenter {
  readonly #shape: ImageShape;
  readonly #classes: number;
  readonly #options: BatchAugmentation;
  readonly #pixels: number;
  readonly #warps: boolean;
  readonly #mixed: Float32Array;
  readonly #draw: Draw = { lambda: 1, move: { fromY: 0, fromX: 0, columnY: 0, columnX: 1, rowY: 1, rowX: 0 } };

  constructor(shape: ImageShape, classes: number, options: BatchAugmentation) {
    this.#shape = shape;
    this.#classes = classes;
    this.#options = options;
    this.#pixels = pixelsPerImage(shape);
    this.#warps = options.rotationDegrees > 0 || options.shift > 0 || options.flip;
    // A row and a pixel more: a sample on the last row or column reads one beyond it, with weight 0.
    this.#mixed = new Float32Array(this.#pixels + (shape.width + 1) * shape.channels);
  }

  /** Passes over the draws of so many images, so that a part of a batch is the same as in the whole. */
  skip(count: number, random: RandomStream): void {
    for (let b = 0; b < count; b++) this.#drawNext(random);
  }

  /**
   * Fills a batch.
   * @param rows row numbers of the batch, from `start` on
   * @param partners row numbers to mix with, from `start` on; not read where MixUp is off
   * @param images [count,H,W,C], gets values 0..1
   * @param targets [count,K]
   */
  fill(
    data: TrainingRows,
    rows: Uint32Array,
    partners: Uint32Array,
    start: number,
    count: number,
    images: Float32Array,
    targets: Float32Array,
    random: RandomStream,
  ): void {
    const pixels = this.#pixels;
    for (let b = 0; b < count; b++) {
      this.#drawNext(random);
      const { lambda } = this.#draw;
      const row = rows[start + b]!;
      const destination = this.#warps ? this.#mixed : images;
      const at = this.#warps ? 0 : b * pixels;
      if (this.#options.mixupAlpha > 0) {
        const partner = partners[start + b]!;
        mixPixels(data.pixels, row * pixels, partner * pixels, lambda, destination, at, pixels);
        this.#mixTargets(data.targets, row, partner, lambda, targets, b);
      } else {
        scalePixels(data.pixels, row * pixels, destination, at, pixels);
        this.#copyTargets(data.targets, row, targets, b);
      }
      if (this.#warps) warp(this.#mixed, images, b * pixels, this.#shape, this.#draw.move);
    }
  }

  #mixTargets(from: Float32Array, row: number, partner: number, lambda: number, to: Float32Array, b: number): void {
    const classes = this.#classes;
    for (let k = 0; k < classes; k++) {
      to[b * classes + k] = lambda * from[row * classes + k]! + (1 - lambda) * from[partner * classes + k]!;
    }
  }

  #copyTargets(from: Float32Array, row: number, to: Float32Array, b: number): void {
    const classes = this.#classes;
    for (let k = 0; k < classes; k++) to[b * classes + k] = from[row * classes + k]!;
  }

  #drawNext(random: RandomStream): void {
    const { mixupAlpha, rotationDegrees, shift, flip } = this.#options;
    if (mixupAlpha > 0) this.#draw.lambda = random.beta(mixupAlpha, mixupAlpha);
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
    const { move } = this.#draw;
    move.fromY = sin * firstX - cos * (centreY - shiftY) + centreY;
    move.fromX = cos * firstX + sin * (centreY - shiftY) + centreX;
    move.columnY = sin * stepX;
    move.columnX = cos * stepX;
    move.rowY = cos;
    move.rowX = -sin;
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

function warp(from: Float32Array, to: Float32Array, toAt: number, shape: ImageShape, move: Affine): void {
  const { height, width, channels } = shape;
  const maxY = height - 1;
  const maxX = width - 1;
  const line = width * channels;
  let target = toAt;
  for (let row = 0; row < height; row++) {
    let y = move.fromY + row * move.rowY;
    let x = move.fromX + row * move.rowX;
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
      y += move.columnY;
      x += move.columnX;
    }
  }
}
