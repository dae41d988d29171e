import { BbdError, InvalidArgumentError } from '@bbdistill/common';
import type { AdamOptions, LossOptions } from '../engine.js';

/** Of one compiled network. Addresses beyond 2 GiB would be negative numbers on their way out of the kernels. */
export const MAX_NETWORK_BYTES = 1.5 * 2 ** 30;

const BYTES_PER_FLOAT = 4;
const BYTES_PER_MIB = 2 ** 20;

/** @throws InvalidArgumentError where a network of so many floats would not fit */
export function requireMemory(owner: string, floats: number): void {
  const bytes = floats * BYTES_PER_FLOAT;
  if (bytes > MAX_NETWORK_BYTES) {
    throw new InvalidArgumentError(
      `${owner} would need about ${Math.round(bytes / BYTES_PER_MIB)} MiB, more than the ` +
        `${MAX_NETWORK_BYTES / BYTES_PER_MIB} MiB that a network may take; use smaller images or a smaller batch`,
      { code: 'NETWORK_TOO_LARGE' },
    );
  }
}

/**
 * Runs what allocates a network in the kernels, which can only trap where the machine has no memory left.
 * @throws BbdError resource-exhausted
 */
export function allocating<T>(owner: string, build: () => T): T {
  try {
    return build();
  } catch (cause) {
    throw new BbdError('resource-exhausted', `there is not enough memory for ${owner}; use a smaller batch`, {
      code: 'OUT_OF_MEMORY',
      cause,
    });
  }
}

/** @throws InvalidArgumentError naming the value unless it is a whole number of 1 or more */
export function requireNatural(what: string, value: number): void {
  if (!Number.isSafeInteger(value) || value < 1) {
    throw new InvalidArgumentError(`${what} must be a whole number of 1 or more, not ${value}`);
  }
}

/** @throws InvalidArgumentError unless 1 ≤ count ≤ batch and the rate is a finite number of 0 or more */
export function requireStep(count: number, batch: number, learningRate: number): void {
  requireNatural('the images of a step', count);
  if (count > batch) {
    throw new InvalidArgumentError(`a step of ${count} images was asked of a network compiled for at most ${batch}`);
  }
  if (!Number.isFinite(learningRate) || learningRate < 0) {
    throw new InvalidArgumentError(`learningRate must be a finite number of 0 or more, not ${learningRate}`);
  }
}

/** @throws InvalidArgumentError naming the array that is too short */
export function requireLength(what: string, length: number, expected: number): void {
  if (length < expected) throw new InvalidArgumentError(`${what} has ${length} elements, fewer than ${expected}`);
}

/** @throws InvalidArgumentError naming the option out of range */
export function requireAdam(adam: AdamOptions): void {
  const inUnit = (value: number) => value >= 0 && value < 1;
  if (!inUnit(adam.beta1)) throw new InvalidArgumentError(`adam.beta1 must be in [0, 1), not ${adam.beta1}`);
  if (!inUnit(adam.beta2)) throw new InvalidArgumentError(`adam.beta2 must be in [0, 1), not ${adam.beta2}`);
  if (!(adam.epsilon > 0)) throw new InvalidArgumentError(`adam.epsilon must be above 0, not ${adam.epsilon}`);
  if (!(adam.weightDecay >= 0)) {
    throw new InvalidArgumentError(`adam.weightDecay must be 0 or more, not ${adam.weightDecay}`);
  }
}

/** @throws InvalidArgumentError naming the option out of range */
export function requireLoss(loss: LossOptions): void {
  if (!(loss.balance >= 0 && loss.balance <= 1)) {
    throw new InvalidArgumentError(`loss.balance must be in 0..1, not ${loss.balance}`);
  }
  if (!(loss.temperature > 0 && Number.isFinite(loss.temperature))) {
    throw new InvalidArgumentError(`loss.temperature must be above 0, not ${loss.temperature}`);
  }
}
