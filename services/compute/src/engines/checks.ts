import { BbdError, InvalidArgumentError } from '@bbdistill/common/base';
import type { EmaOptions, LossOptions, OptimiserOptions } from '../engine.js';

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
export function requireOptimiser(optimiser: OptimiserOptions): void {
  const inUnit = (value: number) => value >= 0 && value < 1;
  const refuse = (name: string, value: number, range: string) => {
    throw new InvalidArgumentError(`${optimiser.kind}.${name} must be ${range}, not ${value}`);
  };
  if (optimiser.kind === 'adam') {
    const { beta1, beta2, epsilon } = optimiser;
    if (!inUnit(beta1)) refuse('beta1', beta1, 'in [0, 1)');
    if (!inUnit(beta2)) refuse('beta2', beta2, 'in [0, 1)');
    if (!(epsilon > 0)) refuse('epsilon', epsilon, 'above 0');
  } else if (!inUnit(optimiser.momentum)) refuse('momentum', optimiser.momentum, 'in [0, 1)');
  if (!(optimiser.weightDecay >= 0)) refuse('weightDecay', optimiser.weightDecay, '0 or more');
}

/** @throws InvalidArgumentError naming the option out of range */
export function requireEma(ema: EmaOptions | undefined): void {
  if (ema && !(ema.decay > 0 && ema.decay < 1)) {
    throw new InvalidArgumentError(`ema.decay must be above 0 and below 1, not ${ema.decay}`);
  }
}

/** Every loss as the distillation mixture. */
export interface ResolvedLoss {
  balance: number;
  temperature: number;
  /** Adds the entropy of the answers, which makes KL a cross-entropy. */
  withEntropy: boolean;
}

/** @throws InvalidArgumentError naming the option out of range */
export function resolvedLoss(loss: LossOptions): ResolvedLoss {
  const resolved = {
    balance: loss.kind === 'hard-cross-entropy' ? 1 : 'balance' in loss ? loss.balance : 0,
    temperature: 'temperature' in loss ? loss.temperature : 1,
    withEntropy: loss.kind === 'soft-cross-entropy',
  };
  const { balance, temperature } = resolved;
  if (!(balance >= 0 && balance <= 1)) throw new InvalidArgumentError(`loss.balance must be in 0..1, not ${balance}`);
  if (!(temperature > 0 && Number.isFinite(temperature))) {
    throw new InvalidArgumentError(`loss.temperature must be above 0, not ${temperature}`);
  }
  return resolved;
}
