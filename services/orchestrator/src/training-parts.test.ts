import { describe, expect, it } from 'vitest';
import { trainingParts } from './training-parts.js';

const repeated = (count: number, shards: number) => Array.from({ length: shards }, () => count);

describe('the parts of an overlapped training', () => {
  it('parts - each draws a tenth of the steps from a tenth more of the images', () => {
    const parts = trainingParts(repeated(100, 20), 50, 5);
    expect(parts.map(({ shards }) => shards)).toEqual([2, 4, 6, 8, 10, 12, 14, 16, 18, 20]);
    expect(parts.map(({ endStep }) => endStep)).toEqual([20, 40, 60, 80, 100, 120, 140, 160, 180, 200]);
    expect(parts.every(({ totalSteps }) => totalSteps === 200)).toBe(true);
  });

  it.each([
    [[1024, 976, ...repeated(1024, 46), 896], 128, 20],
    [[7], 16, 3],
    [[20, 37, 3], 16, 3],
    [[5, 5, 5, 5], 16, 50],
    [[1000, 1], 64, 1],
  ])(
    'parts - of %j, batch %i: every step once, the last ones with all images, never less than a batch',
    (images, batch, epochs) => {
      const parts = trainingParts(images, batch, epochs);
      const total = images.reduce((sum, count) => sum + count, 0);
      expect(parts[0]!.firstStep).toBe(0);
      for (const [i, { firstStep, endStep, shards }] of parts.entries()) {
        expect(endStep).toBeGreaterThan(firstStep);
        if (i > 0) expect(firstStep).toBe(parts[i - 1]!.endStep);
        if (i > 0) expect(shards).toBeGreaterThan(parts[i - 1]!.shards);
        const held = images.slice(0, shards).reduce((sum, count) => sum + count, 0);
        expect(held).toBeGreaterThanOrEqual(Math.min(batch, total));
      }
      expect(parts.at(-1)).toMatchObject({ shards: images.length, endStep: parts[0]!.totalSteps });
    },
  );
});
