import { describe, expect, it } from 'vitest';
import { InvalidArgumentError } from '../../errors.js';
import { filterOfPrefix, keyOfSubject, subjectOfKey, tokenOf } from './subjects.js';

const TOKENS = /^[^.*>\s]+(\.[^.*>\s]+)*$/;

describe('NATS subjects', () => {
  it.each(['a', 'runs/abc', 'a.b', 'a/b', '.', '..', 'a./.b', 'x=1/-_', 'A/B/c.d.e'])(
    'keys - "%s" becomes a subject and comes back',
    (key) => {
      expect(subjectOfKey(key)).toMatch(TOKENS);
      expect(keyOfSubject(subjectOfKey(key))).toBe(key);
    },
  );

  it('keys - what is no key becomes no subject', () => {
    for (const key of ['', 'a//b', 'a b', '*', 'a/>', '/a'])
      expect(() => subjectOfKey(key)).toThrow(InvalidArgumentError);
  });

  it.each([
    ['', '>'],
    ['runs', '>'],
    ['runs/', 'runs.>'],
    ['runs/a', 'runs.>'],
    ['v1.0/runs/a.b', 'v1/0.runs.>'],
  ])('prefixes - "%s" is filtered by %s', (prefix, filter) => {
    expect(filterOfPrefix(prefix)).toBe(filter);
  });

  it('tokens - any texts become tokens that differ where the texts do', () => {
    const texts = ['a', 'A', 'a.b', 'a-b', 'a=2eb', '*', '>', ' ', 'ä', '\u{1F600}', 'a/b', '='];
    const tokens = texts.map(tokenOf);
    for (const token of tokens) expect(token).toMatch(/^[A-Za-z0-9_=-]+$/);
    expect(new Set(tokens).size).toBe(texts.length);
  });
});
