import { InvalidArgumentError } from './errors.js';

/** @throws InvalidArgumentError where the field isn't a whole number in 1..max */
export function assertNatural(field: string, value: number, max: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= max) return;
  throw new InvalidArgumentError(`${field} is ${value}: it must be a whole number in 1..${max}`);
}

/** @throws InvalidArgumentError where the number isn't in low..high */
export function assertInRange(field: string, value: number, low: number, high: number): void {
  if (value >= low && value <= high) return;
  throw new InvalidArgumentError(`${field} is ${value}: it must be in ${low}..${high}`);
}

/** @throws InvalidArgumentError where the seed can't be told apart from its neighbours */
export function assertSeed(seed: number): void {
  if (Number.isSafeInteger(seed) && seed >= 0) return;
  throw new InvalidArgumentError(`seed is ${seed}: it must be a whole number in 0..2^53-1`);
}

/** @throws InvalidArgumentError where a message field wasn't sent */
export function requiredField<T>(field: string, value: T | null | undefined): T {
  if (value !== null && value !== undefined) return value;
  throw new InvalidArgumentError(`the field ${field} is missing`);
}

/** @throws InvalidArgumentError where the reference to a blob is missing or is no hash */
export function requiredBlob<T extends { sha256: string }>(field: string, value: T | null | undefined): T {
  const blob = requiredField(field, value);
  if (/^[0-9a-f]{64}$/.test(blob.sha256)) return blob;
  throw new InvalidArgumentError(`${field}.sha256 is "${blob.sha256}": it must be 64 lower-case hexadecimal digits`);
}
