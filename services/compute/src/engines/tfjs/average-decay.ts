/**
 * What of a running average is kept in a step: of a young one less, or its initial values would weigh in it for long.
 * @param step counted from 0
 */
export function averageDecay(decay: number, step: number): number {
  return Math.min(decay, (1 + step) / (10 + step));
}
