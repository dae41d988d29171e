import { describe, expect, it } from 'vitest';
import { grouped } from './grouped.js';

describe('grouped', () => {
  it.each([
    [0, '0'],
    [999, '999'],
    [1_000, '1 000'],
    [1_234_567, '1 234 567'],
    [1_000.4, '1 000'],
  ])('%i', (value, text) => expect(grouped(value)).toBe(text));

  it('with a gap of another kind', () => expect(grouped(49_997, '\u202f')).toBe('49\u202f997'));
});
