import { describe, expect, it } from 'vitest';
import { withoutTestImages } from './prepare-run.js';

describe('withoutTestImages', () => {
  it.each([
    [9, undefined],
    [10, '1'],
    [250, '25'],
    [40_000, '100'],
  ])('of %i images - asks to hold out a tenth, at most a hundred', (given, wouldDo) => {
    const said = withoutTestImages(given);
    expect(said).toMatch(/^no test images: .* stays unknown/);
    expect(/--run\.evaluation\.holdOut (\d+) /.exec(said)?.[1]).toBe(wouldDo);
  });
});
