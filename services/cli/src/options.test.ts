import { describe, expect, it } from 'vitest';
import { moneyOption } from './options.js';

describe('an amount of money as an option', () => {
  it('is a number of 0 or more', () => {
    expect(['0', '12.50', ' 3 '].map(moneyOption)).toEqual([0, 12.5, 3]);
  });

  it.each(['5,00', '-5', '', 'Infinity', 'five'])('refuses "%s"', (text) => {
    expect(() => moneyOption(text)).toThrow('a number of 0 or more');
  });
});
