import { describe, expect, it } from 'vitest';
import { newestTrainedOn, trainingParts } from './training-parts.js';

const repeated = (count: number, shards: number) => Array.from({ length: shards }, () => count);

describe('the parts of an overlapped training', () => {
  const plain = { batch: 50, epochs: 5, batchMixupAlpha: 0 };

  it('parts - a twentieth of the steps each, from a twentieth more of the images; the last tenth from all', () => {
    const parts = trainingParts(repeated(100, 20), plain);
    expect(parts.map(({ shards }) => shards)).toEqual([...Array.from({ length: 19 }, (_, i) => i + 2), 20]);
    expect(parts.map(({ endStep }) => endStep)).toEqual(Array.from({ length: 20 }, (_, i) => 10 * (i + 1)));
    expect(parts.every(({ totalSteps }) => totalSteps === 200)).toBe(true);
    expect(parts.map(({ newestImages }) => newestImages)).toEqual([0, ...repeated(100, 18), 0]);
  });

  it('parts - those with all images go through the second half of the schedule, those before through the first', () => {
    const parts = trainingParts(repeated(100, 20), plain);
    const places = [...Array.from({ length: 18 }, (_, i) => i / 36), 0.5, 0.75, 1];
    for (const [i, { scheduleFrom, scheduleTo }] of parts.entries()) {
      expect(scheduleFrom).toBeCloseTo(places[i]!);
      expect(scheduleTo).toBeCloseTo(places[i + 1]!);
    }
  });

  it.each([
    [0, [...repeated(1, 10), ...repeated(0, 10)]],
    [0.2, repeated(0.2, 20)],
  ])('parts - where the recipe mixes batches by %d, they do so by %j', (batchMixupAlpha, alphas) => {
    const parts = trainingParts(repeated(100, 20), { ...plain, batchMixupAlpha });
    expect(parts.map((part) => part.batchMixupAlpha)).toEqual(alphas);
  });

  it('parts - a single shard is one part, trained as without overlap', () => {
    expect(trainingParts([700], plain)).toEqual([
      expect.objectContaining({ newestImages: 0, scheduleFrom: 0, scheduleTo: 1, batchMixupAlpha: 0, endStep: 70 }),
    ]);
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
      const parts = trainingParts(images, { batch, epochs, batchMixupAlpha: 0 });
      const total = images.reduce((sum, count) => sum + count, 0);
      expect(parts[0]!.firstStep).toBe(0);
      for (const [i, { firstStep, endStep, shards, scheduleFrom }] of parts.entries()) {
        expect(endStep).toBeGreaterThan(firstStep);
        if (i > 0) expect(firstStep).toBe(parts[i - 1]!.endStep);
        expect(scheduleFrom).toBe(i > 0 ? parts[i - 1]!.scheduleTo : 0);
        if (i > 0) expect(shards).toBeGreaterThanOrEqual(parts[i - 1]!.shards);
        const held = images.slice(0, shards).reduce((sum, count) => sum + count, 0);
        expect(held).toBeGreaterThanOrEqual(Math.min(batch, total));
      }
      expect(parts.at(-1)).toMatchObject({ shards: images.length, endStep: parts[0]!.totalSteps, scheduleTo: 1 });
    },
  );

  it('newest images - are those that have an answer', () => {
    const shard = (unanswered: number) => ({ answers: { blob: null, images: 100, classes: 3, unanswered } });
    expect(newestTrainedOn({ newestImages: 200 }, [shard(30), shard(100)])).toBe(70);
    expect(newestTrainedOn({ newestImages: 0 }, [shard(30)])).toBe(0);
  });
});
