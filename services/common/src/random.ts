import { createHash } from 'node:crypto';
import { philox4x32 } from './philox.js';

/**
 * A counter-based random stream (Philox-4x32-10). Its numbers depend only on seed, purpose and index, so that no
 * order of work and no number of workers changes an image or a weight.
 */
export class RandomStream {
  readonly #key0: number;
  readonly #key1: number;
  #index0 = 0;
  #index1 = 0;
  #block = 0;
  readonly #words = new Uint32Array(4);
  #used = 4;
  #spareNormal: number | undefined;

  /**
   * @param seed the run's seed, a whole number in 0..2^53-1
   * @param purpose what the numbers are for, e.g. `mixup`; different purposes never share numbers
   * @param index which of the many, e.g. the image's index
   */
  constructor(seed: number, purpose: string, index = 0) {
    const key = createHash('sha256').update(`${seed}/${purpose}`).digest();
    this.#key0 = key.readUInt32LE(0);
    this.#key1 = key.readUInt32LE(4);
    this.restart(index);
  }

  /** As a fresh stream of the same seed and purpose with this index, without making one. */
  restart(index: number): void {
    this.#index0 = index >>> 0;
    this.#index1 = Math.floor(index / 0x1_0000_0000) >>> 0;
    this.#block = 0;
    this.#used = 4;
    this.#spareNormal = undefined;
  }

  /** Uniform whole number in 0..2^32-1. */
  uint32(): number {
    if (this.#used === 4) this.#fill();
    return this.#words[this.#used++]!;
  }

  /** Uniform in [0, 1) with 32 bits. */
  uniform(): number {
    return this.uint32() / 0x1_0000_0000;
  }

  /** Uniform in [low, high). */
  between(low: number, high: number): number {
    return low + (high - low) * this.uniform();
  }

  /** Unbiased whole number in 0..bound-1, for bounds up to 2^32. */
  integer(bound: number): number {
    const limit = 0x1_0000_0000 - (0x1_0000_0000 % bound);
    for (;;) {
      const word = this.uint32();
      if (word < limit) return word % bound;
    }
  }

  /** Standard normal (Box-Muller). */
  normal(): number {
    if (this.#spareNormal !== undefined) {
      const spare = this.#spareNormal;
      this.#spareNormal = undefined;
      return spare;
    }
    const radius = Math.sqrt(-2 * Math.log((this.uint32() + 0.5) / 0x1_0000_0000));
    const angle = 2 * Math.PI * this.uniform();
    this.#spareNormal = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** Gamma(shape, 1), Marsaglia and Tsang; shape > 0. */
  gamma(shape: number): number {
    if (shape < 1) return this.gamma(shape + 1) * Math.pow((this.uint32() + 0.5) / 0x1_0000_0000, 1 / shape);
    const d = shape - 1 / 3;
    const c = 1 / Math.sqrt(9 * d);
    for (;;) {
      const x = this.normal();
      const v = (1 + c * x) ** 3;
      if (v <= 0) continue;
      const u = (this.uint32() + 0.5) / 0x1_0000_0000;
      if (Math.log(u) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v;
    }
  }

  /** Beta(alpha, beta) in [0, 1]; Beta(1, 1) takes one draw. */
  beta(alpha: number, beta: number): number {
    if (alpha === 1 && beta === 1) return this.uniform();
    const a = this.gamma(alpha);
    const sum = a + this.gamma(beta);
    // Below some 0.01 both may underflow to 0, and 0/0 would make an image of nothing: what is left of the distribution
    // there are its two ends.
    if (sum === 0) return this.uniform() < alpha / (alpha + beta) ? 1 : 0;
    return a / sum;
  }

  /** A random order of 0..count-1 (Fisher-Yates). */
  permutation(count: number): Uint32Array {
    const order = Uint32Array.from({ length: count }, (_, i) => i);
    for (let i = count - 1; i > 0; i--) {
      const j = this.integer(i + 1);
      const kept = order[i]!;
      order[i] = order[j]!;
      order[j] = kept;
    }
    return order;
  }

  #fill(): void {
    philox4x32(this.#block++, 0, this.#index0, this.#index1, this.#key0, this.#key1, this.#words);
    this.#used = 0;
  }
}
