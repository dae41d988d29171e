import { assertMixOptions, assertRecipe } from '@bbdistill/compute';
import { describe, expect, it } from 'vitest';
import { RECIPE_NAMES, recipeNamed } from './recipes.js';

describe('recipes', () => {
  it.each(RECIPE_NAMES)('%s is one that the services take', (name) => {
    const { mix, training } = recipeNamed(name, true);
    expect(() => assertMixOptions({ ...mix, seed: 1 })).not.toThrow();
    expect(() => assertRecipe(training)).not.toThrow();
  });

  it('best mirrors images only where a mirrored image keeps its class', () => {
    expect(recipeNamed('best', false).mix.source.flip).toBe(false);
    expect(recipeNamed('best', true).mix.source.flip).toBe(true);
  });

  it('paper moves nothing before asking, whatever the images are', () => {
    expect(recipeNamed('paper', true).mix.source).toEqual({ flip: false, rotationDegrees: 0, shift: 0, scale: 0 });
  });

  it('of an unknown name are refused with the known ones', () => {
    expect(() => recipeNamed('quick', false)).toThrow(/no recipe "quick".*paper, best/);
  });
});
