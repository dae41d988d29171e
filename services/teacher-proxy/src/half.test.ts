import { describe, expect, it } from 'vitest';
import { fromHalf, toHalf } from './half.js';

describe('float16', () => {
  it('every number that it has comes back', () => {
    for (let bits = 0; bits < 0x10000; bits++) {
      const value = fromHalf(bits);
      if (Number.isNaN(value)) expect(fromHalf(toHalf(value))).toBeNaN();
      else expect(toHalf(value)).toBe(bits);
    }
  });

  it.each([
    ['1/3 is rounded', 1 / 3, 0x3555],
    ['a tie goes to the even one', 1 + 2 ** -11, 0x3c00],
    ['just above a tie goes up', 1 + 2 ** -11 + 2 ** -20, 0x3c01],
    ['rounding carries into the exponent', 2 - 2 ** -12, 0x4000],
    ['beyond the range is infinite', 65_520, 0x7c00],
    ['the largest', 65_504, 0x7bff],
    ['the smallest subnormal', 2 ** -24, 0x0001],
    ['half of it goes to zero', 2 ** -25, 0x0000],
    ['far below it', 2 ** -40, 0x0000],
    ['a negative number', -2, 0xc000],
  ])('%s', (_, value, bits) => {
    expect(toHalf(value)).toBe(bits);
  });
});
