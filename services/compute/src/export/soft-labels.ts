import type { AnsweredHashes } from '../images/index.js';
import { argmaxRows } from '../metrics/index.js';

export interface SoftLabels extends AnsweredHashes {
  /** Empty: classes are named by their numbers. */
  classNames: readonly string[];
}

/** Enough for every float32 to be read back as it was. */
const PRECISION_DIGITS = 9;
/** Lines that are text at the same time: as bytes they take a fraction of it. */
const LINES_PER_PIECE = 1024;

/**
 * The teacher's answers as JSON lines: `{"index":0,"sha256":"…","class":"3","probabilities":[…]}`; the hash is that of
 * the image's pixels.
 */
export function encodeSoftLabels({ count, classes, hashes, targets, classNames }: SoftLabels): Uint8Array {
  const hashBytes = hashes.length / count;
  const best = argmaxRows(targets, classes);
  const pieces: Buffer[] = [];
  let lines = '';
  for (let n = 0; n < count; n++) {
    const sha256 = Buffer.from(hashes.subarray(n * hashBytes, (n + 1) * hashBytes)).toString('hex');
    const row = targets.subarray(n * classes, (n + 1) * classes);
    const probabilities = Array.from(row, (value) => Number(value.toPrecision(PRECISION_DIGITS)));
    const name = classNames[best[n]!] ?? String(best[n]);
    lines += `${JSON.stringify({ index: n, sha256, class: name, probabilities })}\n`;
    if ((n + 1) % LINES_PER_PIECE !== 0 && n + 1 < count) continue;
    pieces.push(Buffer.from(lines));
    lines = '';
  }
  return Buffer.concat(pieces);
}
