import { InvalidArgumentError, assertInRange, assertNatural } from '@bbdistill/common/base';
import { SCHEDULES } from './schedules.js';

export const MAX_EPOCHS = 100_000;
export const MAX_BATCH = 8192;
export const MAX_LEARNING_RATE = 10;
export const MAX_TEMPERATURE = 1000;

/** The numbers of a training that have a range. */
export interface RecipeNumbers {
  epochs: number;
  batch: number;
  schedule: string;
  learningRate: number;
  batchMixupAlpha: number;
  rotationDegrees: number;
  shift: number;
  balance: number;
  temperature: number;
  weightDecay: number;
  emaDecay: number;
}

/**
 * Refuses a recipe that no training takes: by whoever accepts a run, before anything is spent, and by the trainer.
 * @throws InvalidArgumentError naming the field, its value and its range
 */
export function assertRecipe(recipe: RecipeNumbers): void {
  assertNatural('recipe.epochs', recipe.epochs, MAX_EPOCHS);
  assertNatural('recipe.batch', recipe.batch, MAX_BATCH);
  if (!(SCHEDULES as readonly string[]).includes(recipe.schedule)) {
    throw new InvalidArgumentError(`recipe.schedule is "${recipe.schedule}": use one of ${SCHEDULES.join(', ')}`);
  }
  if (!(recipe.learningRate > 0 && recipe.learningRate <= MAX_LEARNING_RATE)) {
    throw new InvalidArgumentError(
      `recipe.learning_rate is ${recipe.learningRate}: it must be above 0 and at most ${MAX_LEARNING_RATE}`,
    );
  }
  assertInRange('recipe.batch_mixup_alpha', recipe.batchMixupAlpha, 0, 1000);
  assertInRange('recipe.rotation_degrees', recipe.rotationDegrees, 0, 180);
  assertInRange('recipe.shift', recipe.shift, 0, 1);
  assertInRange('recipe.balance', recipe.balance, 0, 1);
  if (!(recipe.temperature > 0 && recipe.temperature <= MAX_TEMPERATURE)) {
    throw new InvalidArgumentError(
      `recipe.temperature is ${recipe.temperature}: it must be above 0 and at most ${MAX_TEMPERATURE} (paper: 1)`,
    );
  }
  assertInRange('recipe.weight_decay', recipe.weightDecay, 0, 1);
  if (!(recipe.emaDecay >= 0 && recipe.emaDecay < 1)) {
    throw new InvalidArgumentError(
      `recipe.ema_decay is ${recipe.emaDecay}: it must be below 1, such as 0.999, or 0 for no average`,
    );
  }
}
