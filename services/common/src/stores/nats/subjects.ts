import { checkKey } from '../embedded/keys.js';

const PLAIN = /^[A-Za-z0-9_-]$/;

/**
 * A key as NATS subject tokens: `/` and `.` change places, so that the parts of our keys are the tokens of the subject
 * and no two keys meet. It is its own inverse.
 */
function swapSeparators(text: string): string {
  return text.replace(/[./]/g, (separator) => (separator === '/' ? '.' : '/'));
}

/** @throws InvalidArgumentError where it is no key */
export function subjectOfKey(key: string): string {
  checkKey(key);
  return swapSeparators(key);
}

export function keyOfSubject(subject: string): string {
  return swapSeparators(subject);
}

/** The narrowest subject filter over all keys with the prefix; it may match more, as subjects match by whole tokens. */
export function filterOfPrefix(prefix: string): string {
  const wholeParts = prefix.slice(0, prefix.lastIndexOf('/') + 1);
  return `${swapSeparators(wholeParts)}>`;
}

/** Any text as one subject token, without collisions. */
export function tokenOf(text: string): string {
  return [...text]
    .map((character) => {
      if (PLAIN.test(character)) return character;
      return [...new TextEncoder().encode(character)].map((byte) => `=${byte.toString(16).padStart(2, '0')}`).join('');
    })
    .join('');
}
