import { describe, expect, it } from 'vitest';
import { duration, moneyAtMost } from './figures.js';

describe('duration', () => {
  it.each([
    [0.04, '0.0 s'],
    [9.94, '9.9 s'],
    [9.96, '10 s'],
    [59.4, '59 s'],
    [59.6, '1 min 0 s'],
    [119.7, '2 min 0 s'],
    [3599.7, '1 h 0 min'],
    [7_500, '2 h 5 min'],
    [25 * 86_400 + 3 * 3600, '25 d 3 h'],
    [Infinity, '?'],
  ])('%f seconds', (seconds, text) => expect(duration(seconds)).toBe(text));
});

describe('moneyAtMost', () => {
  it.each([
    [0, '0.00'],
    [1, '0.000001'],
    [4_500, '0.0045'],
    [10_000, '0.01'],
    [10_001, '0.02'],
    [52_060_000, '52.06'],
    [52_060_001, '52.07'],
  ])('%i millionths', (micros, text) => expect(moneyAtMost(micros)).toBe(text));
});
