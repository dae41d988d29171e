import { InvalidArgumentError, RandomStream, pixelsPerImage } from '@bbdistill/common/base';
import type { ImageBatch } from '@bbdistill/common/base';
import { moveImage, movesImages } from './source.js';
import type { SourceAugmentation } from './source.js';

export interface MixOptions {
  /** λ ~ Beta(alpha, alpha); above 0. Paper: 1. */
  alpha: number;
  /** λ ≤ dropBelow or ≥ 1 − dropBelow is dropped, in 0..0.5. Paper: 0.05. 0 keeps everything, see KEPT_LAMBDA_MARGIN. */
  dropBelow: number;
  /** Shares of what an index becomes; any scale. */
  mixupShare: number;
  cutmixShare: number;
  augmentedShare: number;
  cvaeShare: number;
  source: SourceAugmentation;
  seed: number;
}

/** Where nothing is dropped, λ is kept this far from 0 and 1: nobody pays for what is all but a copy of a real image. */
export const KEPT_LAMBDA_MARGIN = 0.05;

/** What an index became; `dropped` is left for the CVAE. */
export type MixKind = 'mixup' | 'cutmix' | 'augmented' | 'dropped';

/**
 * Makes synthetic images of real ones before the teacher is asked (paper, section 3.2, and CutMix). Image j depends on
 * the real images, the options and j alone: a smaller count is a prefix of a larger one, and no order of work changes
 * an image.
 */
export class ImageMixer {
  readonly #images: ImageBatch;
  readonly #options: MixOptions;
  readonly #pixels: number;
  readonly #first: Float32Array;
  readonly #second: Float32Array;
  readonly #mixupBelow: number;
  readonly #cutmixBelow: number;
  readonly #augmentedBelow: number;

  /** @throws InvalidArgumentError where the options are out of range or the images are too few for them */
  constructor(images: ImageBatch, options: MixOptions) {
    assertMixOptions(options);
    const pairs = options.mixupShare + options.cutmixShare > 0;
    if (images.count < (pairs ? 2 : 1)) {
      throw new InvalidArgumentError(
        pairs
          ? `MixUp and CutMix need two images or more, there is ${images.count}: add images or set both shares to 0`
          : 'there is no image to make others of: add images',
        { code: 'TOO_FEW_IMAGES' },
      );
    }
    this.#images = images;
    this.#options = options;
    this.#pixels = pixelsPerImage(images.shape);
    this.#first = new Float32Array(this.#pixels);
    this.#second = new Float32Array(this.#pixels);
    const total = options.mixupShare + options.cutmixShare + options.augmentedShare + options.cvaeShare;
    this.#mixupBelow = options.mixupShare / total;
    this.#cutmixBelow = (options.mixupShare + options.cutmixShare) / total;
    this.#augmentedBelow = (options.mixupShare + options.cutmixShare + options.augmentedShare) / total;
  }

  /**
   * Writes image `index` to `target` at `offset`, uint8 [H,W,C]; nothing where it is dropped.
   */
  make(index: number, target: Uint8Array, offset: number): MixKind {
    const random = new RandomStream(this.#options.seed, 'mix', index);
    const kind = this.#kindFor(random.uniform());
    if (kind === 'dropped') return kind;
    const firstIndex = random.integer(this.#images.count);
    if (kind === 'augmented') {
      this.#move(firstIndex, this.#first, random);
      round(this.#first, target, offset);
      return kind;
    }
    // Drawn from the others, so that an image is never paired with itself.
    const otherIndex = random.integer(this.#images.count - 1);
    const secondIndex = otherIndex < firstIndex ? otherIndex : otherIndex + 1;
    const lambda = this.#lambda(random);
    if (lambda === undefined) return 'dropped';
    this.#move(firstIndex, this.#first, random);
    this.#move(secondIndex, this.#second, random);
    if (kind === 'mixup') this.#mixUp(lambda);
    else this.#cutMix(lambda, random);
    round(this.#first, target, offset);
    return kind;
  }

  #kindFor(share: number): MixKind {
    if (share < this.#mixupBelow) return 'mixup';
    if (share < this.#cutmixBelow) return 'cutmix';
    if (share < this.#augmentedBelow) return 'augmented';
    return 'dropped';
  }

  /** @returns λ with two decimals, as in the paper's scripts, or undefined where it is to be dropped */
  #lambda(random: RandomStream): number | undefined {
    const { alpha, dropBelow } = this.#options;
    const lambda = Math.round(random.beta(alpha, alpha) * 100) / 100;
    if (dropBelow === 0) return Math.min(1 - KEPT_LAMBDA_MARGIN, Math.max(KEPT_LAMBDA_MARGIN, lambda));
    // Compared with a tolerance: 1 − 0.05 is not the double nearest to 0.95 on every path that leads there.
    const tolerance = 1e-9;
    return lambda <= dropBelow + tolerance || lambda >= 1 - dropBelow - tolerance ? undefined : lambda;
  }

  #move(index: number, target: Float32Array, random: RandomStream): void {
    const start = index * this.#pixels;
    const image = this.#images.pixels.subarray(start, start + this.#pixels);
    moveImage(image, target, this.#images.shape, this.#options.source, random);
  }

  #mixUp(lambda: number): void {
    const first = this.#first;
    const second = this.#second;
    for (let p = 0; p < first.length; p++) first[p] = lambda * first[p]! + (1 - lambda) * second[p]!;
  }

  /** Pastes a box of the second image, of 1 − λ of the area where it lies wholly inside. */
  #cutMix(lambda: number, random: RandomStream): void {
    const { height, width, channels } = this.#images.shape;
    const side = Math.sqrt(1 - lambda);
    const centreY = random.uniform() * height;
    const centreX = random.uniform() * width;
    const top = Math.max(0, Math.round(centreY - (side * height) / 2));
    const bottom = Math.min(height, Math.round(centreY + (side * height) / 2));
    const left = Math.max(0, Math.round(centreX - (side * width) / 2));
    const right = Math.min(width, Math.round(centreX + (side * width) / 2));
    for (let y = top; y < bottom; y++) {
      const from = (y * width + left) * channels;
      const to = (y * width + right) * channels;
      this.#first.set(this.#second.subarray(from, to), from);
    }
  }
}

/** @throws InvalidArgumentError naming the option, its value and its range */
export function assertMixOptions(options: MixOptions): void {
  const { alpha, dropBelow, source } = options;
  inRange('alpha', alpha, alpha > 0 && alpha <= 1000, 'above 0 and at most 1000');
  inRange('drop_below', dropBelow, dropBelow >= 0 && dropBelow < 0.5, '0 or more and below 0.5');
  const shares = {
    mixup_share: options.mixupShare,
    cutmix_share: options.cutmixShare,
    augmented_share: options.augmentedShare,
    cvae_share: options.cvaeShare,
  };
  let total = 0;
  for (const [name, share] of Object.entries(shares)) {
    inRange(name, share, share >= 0 && Number.isFinite(share), '0 or more');
    total += share;
  }
  if (total === 0) {
    throw new InvalidArgumentError(`all shares are 0 (${Object.keys(shares).join(', ')}): set at least one above 0`);
  }
  inRange(
    'source.rotation_degrees',
    source.rotationDegrees,
    source.rotationDegrees >= 0 && source.rotationDegrees <= 180,
    'in 0..180',
  );
  inRange('source.shift', source.shift, source.shift >= 0 && source.shift <= 1, 'in 0..1');
  inRange('source.scale', source.scale, source.scale >= 0 && source.scale < 1, '0 or more and below 1');
  if (options.augmentedShare > 0 && !movesImages(source)) {
    throw new InvalidArgumentError(
      `augmented_share is ${options.augmentedShare}, but source moves nothing, so the same images would be asked again: ` +
        'set source (flip, rotation, shift or scale) or set augmented_share to 0',
    );
  }
}

function inRange(name: string, value: number, holds: boolean, range: string): void {
  if (!holds) throw new InvalidArgumentError(`${name} is ${value}: it must be ${range}`);
}

function round(image: Float32Array, target: Uint8Array, offset: number): void {
  for (let p = 0; p < image.length; p++) target[offset + p] = (image[p]! + 0.5) | 0;
}
