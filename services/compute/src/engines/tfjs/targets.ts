import type { ResolvedLoss } from '../checks.js';

/** What a classifier's loss multiplies the student's log-probabilities with. */
export interface PreparedTargets {
  /** [count,K] soft answers at the temperature. */
  soft: Float32Array;
  /** [count,K] their logarithms, 0 for a class of probability 0; all 0 where the loss leaves the entropy in. */
  logSoft: Float32Array;
  /** [count,K] one-hot of the largest answer, the first of equals. */
  hard: Float32Array;
}

/**
 * Softens the answers, p^(1/T) normalised, and finds the hard ones. An image whose answers are all zero gets zeros
 * everywhere, so that it counts nothing; NaN stays NaN.
 * @param targets [≥ count,K]
 */
export function prepareTargets(
  targets: Float32Array,
  count: number,
  classes: number,
  { temperature, withEntropy }: ResolvedLoss,
): PreparedTargets {
  const soft = new Float32Array(count * classes);
  const logSoft = new Float32Array(count * classes);
  const hard = new Float32Array(count * classes);
  for (let row = 0; row < count; row++) {
    const from = row * classes;
    let [mass, largest] = [0, 0];
    for (let j = 0; j < classes; j++) {
      mass += targets[from + j]!;
      if (targets[from + j]! > targets[from + largest]!) largest = j;
    }
    if (mass === 0) continue;
    hard[from + largest] = 1;
    const maximum = targets[from + largest]!;
    let sum = 0;
    for (let j = 0; j < classes; j++) {
      const target = targets[from + j]!;
      // At temperature 1 that is the answer itself, also where it doesn't sum to 1.
      soft[from + j] = temperature === 1 ? target : (target / maximum) ** (1 / temperature);
      sum += soft[from + j]!;
    }
    for (let j = 0; j < classes; j++) {
      if (temperature !== 1) soft[from + j]! /= sum;
      const value = soft[from + j]!;
      if (!withEntropy && value !== 0) logSoft[from + j] = Math.log(value);
    }
  }
  return { soft, logSoft, hard };
}
