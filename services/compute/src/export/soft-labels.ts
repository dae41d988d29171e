import { pixelsPerImage, sha256Hex } from '@bbdistill/common/base';
import type { ImageShape } from '@bbdistill/common/base';
import { argmaxRows } from '../metrics/index.js';

export interface SoftLabels {
  count: number;
  classes: number;
  shape: ImageShape;
  /** uint8 [N,H,W,C] */
  pixels: Uint8Array;
  /** [N,K] */
  targets: Float32Array;
  /** Empty: classes are named by their numbers. */
  classNames: readonly string[];
}

/** Enough for every float32 to be read back as it was. */
const PRECISION_DIGITS = 9;

/**
 * The teacher's answers as JSON lines: `{"index":0,"sha256":"…","class":"3","probabilities":[…]}`; the hash is that of
 * the image's pixels.
 */
export function encodeSoftLabels({ count, classes, shape, pixels, targets, classNames }: SoftLabels): Uint8Array {
  const perImage = pixelsPerImage(shape);
  const best = argmaxRows(targets, classes);
  const lines: string[] = [];
  for (let n = 0; n < count; n++) {
    const image = pixels.subarray(n * perImage, (n + 1) * perImage);
    const row = targets.subarray(n * classes, (n + 1) * classes);
    const probabilities = Array.from(row, (value) => Number(value.toPrecision(PRECISION_DIGITS)));
    const name = classNames[best[n]!] ?? String(best[n]);
    lines.push(JSON.stringify({ index: n, sha256: sha256Hex(image), class: name, probabilities }));
  }
  return new TextEncoder().encode(lines.map((line) => `${line}\n`).join(''));
}
