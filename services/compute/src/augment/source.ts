import { pixelsPerImage } from '@bbdistill/common/base';
import type { ImageShape, RandomStream } from '@bbdistill/common/base';

/** Small random moves of a real image before it is mixed and asked about. */
export interface SourceAugmentation {
  /** Mirror left-right with probability 1/2. Off for digits and text. */
  flip: boolean;
  /** Rotation drawn from U(-d, d), degrees. */
  rotationDegrees: number;
  /** Shift drawn from U(-s, s), as a part of width and height. */
  shift: number;
  /** Scale drawn from U(1-s, 1+s). */
  scale: number;
}

export const NO_SOURCE_AUGMENTATION: SourceAugmentation = { flip: false, rotationDegrees: 0, shift: 0, scale: 0 };

export function movesImages(source: SourceAugmentation): boolean {
  return source.flip || source.rotationDegrees > 0 || source.shift > 0 || source.scale > 0;
}

/**
 * One image flipped, then rotated, scaled and shifted about its centre: bilinear, zero outside.
 * @param image uint8 [H,W,C]
 * @param target [H,W,C], values 0..255, not rounded: what is mixed afterwards is rounded once
 */
export function moveImage(
  image: Uint8Array,
  target: Float32Array,
  shape: ImageShape,
  source: SourceAugmentation,
  random: RandomStream,
): void {
  const { height, width, channels } = shape;
  // Every draw is made whatever the settings: switching one move off leaves the others as they were.
  const mirrored = random.uniform() < 0.5 && source.flip;
  const angle = (random.between(-source.rotationDegrees, source.rotationDegrees) * Math.PI) / 180;
  const scale = random.between(1 - source.scale, 1 + source.scale);
  const shiftX = random.between(-source.shift, source.shift) * width;
  const shiftY = random.between(-source.shift, source.shift) * height;
  if (angle === 0 && scale === 1 && shiftX === 0 && shiftY === 0) {
    copyImage(image, target, shape, mirrored);
    return;
  }
  const centreX = (width - 1) / 2;
  const centreY = (height - 1) / 2;
  const cos = Math.cos(angle) / scale;
  const sin = Math.sin(angle) / scale;
  for (let y = 0; y < height; y++) {
    const dy = y - centreY - shiftY;
    for (let x = 0; x < width; x++) {
      const dx = x - centreX - shiftX;
      const fromX = cos * dx + sin * dy + centreX;
      const fromY = cos * dy - sin * dx + centreY;
      const at = (y * width + x) * channels;
      for (let c = 0; c < channels; c++) {
        target[at + c] = sampleWithZeroFill(image, shape, mirrored ? width - 1 - fromX : fromX, fromY, c);
      }
    }
  }
}

function copyImage(image: Uint8Array, target: Float32Array, shape: ImageShape, mirrored: boolean): void {
  const { height, width, channels } = shape;
  if (!mirrored) {
    target.set(image.subarray(0, pixelsPerImage(shape)));
    return;
  }
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const from = (y * width + width - 1 - x) * channels;
      const to = (y * width + x) * channels;
      for (let c = 0; c < channels; c++) target[to + c] = image[from + c]!;
    }
  }
}

function sampleWithZeroFill(image: Uint8Array, shape: ImageShape, x: number, y: number, channel: number): number {
  const { height, width, channels } = shape;
  const left = Math.floor(x);
  const top = Math.floor(y);
  if (left < -1 || top < -1 || left >= width || top >= height) return 0;
  const partX = x - left;
  const partY = y - top;
  const at = (top * width + left) * channels + channel;
  const hasLeft = left >= 0;
  const hasRight = left + 1 < width;
  let upper = 0;
  let lower = 0;
  if (top >= 0) {
    if (hasLeft) upper += (1 - partX) * image[at]!;
    if (hasRight) upper += partX * image[at + channels]!;
  }
  if (top + 1 < height) {
    const below = at + width * channels;
    if (hasLeft) lower += (1 - partX) * image[below]!;
    if (hasRight) lower += partX * image[below + channels]!;
  }
  return (1 - partY) * upper + partY * lower;
}
