import { InvalidArgumentError } from '../../errors.js';

const MAX_KEY_CHARACTERS = 512;
const KEY = /^[A-Za-z0-9_=.-]+(\/[A-Za-z0-9_=.-]+)*$/;

/** @throws InvalidArgumentError */
export function checkKey(key: string): void {
  if (key.length > MAX_KEY_CHARACTERS || !KEY.test(key)) {
    throw new InvalidArgumentError(
      `"${key}" is no key: it takes parts of letters, digits, "-", "_", "=" and "." joined by "/", ` +
        `at most ${MAX_KEY_CHARACTERS} characters`,
    );
  }
}
