import { RandomStream } from '@bbdistill/common/base';

/**
 * Dropout by counter, so that every engine and every split of a batch over workers drops the same: element i of image n
 * (counted in the whole batch) at step s (counted from 0) stays where
 * mix32(mix32(seed XOR mix32(s)) + (n·features + i)·GOLDEN) ≥ rate·2³², all modulo 2³².
 */

const GOLDEN = 0x9e3779b9;

/** Of one layer; `seed` is the network's. */
export function dropoutSeed(seed: number, layer: string): number {
  return new RandomStream(seed, `dropout/${layer}`).uint32();
}

/** Values below it are dropped. */
export function dropoutThreshold(rate: number): number {
  return Math.floor(rate * 2 ** 32);
}

/**
 * What the layer multiplies with: 0 or 1 / (1 − rate).
 * @param layerSeed of `dropoutSeed`
 * @param first place of the first element: image in the whole batch · features
 */
export function dropoutMask(layerSeed: number, step: number, rate: number, first: number, mask: Float32Array): void {
  const key = mix32(layerSeed ^ mix32(step));
  const threshold = dropoutThreshold(rate);
  const kept = 1 / (1 - rate);
  for (let i = 0; i < mask.length; i++) {
    mask[i] = mix32(key + Math.imul(first + i, GOLDEN)) >= threshold ? kept : 0;
  }
}

/** Finaliser of MurmurHash3: every bit of the input changes half of the output's. */
function mix32(value: number): number {
  let x = value | 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
  return (x ^ (x >>> 16)) >>> 0;
}
