import { InvalidArgumentError } from 'commander';
import { MAX_SIDE } from './images/index.js';

/** A whole number of 0 or more as an option's value. */
export function naturalOption(text: string): number {
  const value = numberIn(text);
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new InvalidArgumentError('it must be a whole number of 0 or more');
}

/** A whole number of 1 or more as an option's value. */
export function positiveOption(text: string): number {
  const value = naturalOption(text);
  if (value === 0) throw new InvalidArgumentError('it must be a whole number of 1 or more');
  return value;
}

/** An amount of money, as an option's value. */
export function moneyOption(text: string): number {
  const value = numberIn(text);
  if (Number.isFinite(value) && value >= 0) return value;
  throw new InvalidArgumentError('it must be a number of 0 or more, such as 12.50');
}

/** A variable that isn't set leaves an empty text, which JavaScript would read as 0. */
function numberIn(text: string): number {
  return text.trim() === '' ? Number.NaN : Number(text);
}

/** `1,2,3` as whole numbers. */
export function seedsOption(text: string): number[] {
  return text.split(',').map((part) => naturalOption(part.trim()));
}

/** `HEIGHTxWIDTH` in pixels, as an option's value. */
export function sizeOption(text: string): { height: number; width: number } {
  const [, height = 0, width = 0] = (/^(\d+)x(\d+)$/.exec(text) ?? []).map(Number);
  if ([height, width].every((side) => side >= 1 && side <= MAX_SIDE)) return { height, width };
  throw new InvalidArgumentError(`it must be HEIGHTxWIDTH, sides of 1 to ${MAX_SIDE}, such as 64x48`);
}
