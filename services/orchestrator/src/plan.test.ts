import { describe, expect, it } from 'vitest';
import type { PlanInput } from './plan.js';
import { planRun } from './plan.js';
import { aSpec, aTeacher } from './testing/specs.js';

const input = (over: Partial<PlanInput> = {}): PlanInput => ({
  spec: aSpec(),
  real: { id: 'r', shards: [], labels: null, images: 2000, shape: null, classNames: [] },
  teacher: aTeacher(),
  seeds: { distinct: 2000, cached: 0 },
  testImages: 0,
  ...over,
});

describe('planRun', () => {
  it('asks about real and synthetic images, and pays per image and call', () => {
    const plan = planRun(input({ teacher: aTeacher({ pricePerImageMicros: 1500, pricePerCallMicros: 10 }) }));
    expect(plan.images).toBe(2000 + 24_000);
    // 20 images a call; a call never crosses the end of a shard of 1024. What is dropped may end with one more.
    expect(plan.calls).toBe(52 + 49 + 23 * 52 + 23 + 1);
    expect(plan.costMicros).toBe(26_000 * 1500 + Number(plan.calls) * 10);
  });

  it('counts a call of its own for the end of each shard, which has fewer images where they are large', () => {
    const shape = { height: 1024, width: 1024, channels: 3 };
    const real = { ...input().real, images: 63, shape };
    const spec = aSpec({ synthesis: { ...aSpec().synthesis, images: 0 } });
    // Shards of 21 images, of which a call takes 20.
    expect(planRun(input({ spec, real, seeds: { distinct: 63, cached: 0 } })).calls).toBe(3 * 2);
  });

  it.each([
    ['none', { distinct: 63, cached: 0 }, 3 * 2],
    ['all but three, which may be one of each shard', { distinct: 63, cached: 60 }, 3],
    ['all but 43, of which each shard may have 20 and one more', { distinct: 63, cached: 20 }, 5],
  ])('counts calls at most, wherever those lie that are answered already: %s', (_, seeds, calls) => {
    const shape = { height: 1024, width: 1024, channels: 3 };
    const spec = aSpec({ synthesis: { ...aSpec().synthesis, images: 0 } });
    expect(planRun(input({ spec, real: { ...input().real, images: 63, shape }, seeds })).calls).toBe(calls);
  });

  it('counts the calls that a window leaves room for, and their price', () => {
    // As a teacher of 5 images a second is described, though it would take 20 a call.
    const teacher = aTeacher({ imagesPerCall: 5, imagesPerSecond: 5, pricePerCallMicros: 10_000 });
    const spec = aSpec({ synthesis: { ...aSpec().synthesis, dropBelow: 0 } });
    const plan = planRun(input({ spec, teacher }));
    // Each full shard ends with a call of 4 images.
    expect(plan.calls).toBe(205 + 196 + 23 * 205 + 90);
    expect(plan.costMicros).toBe(52_060_000);
  });

  it('does not count images that are answered already', () => {
    const plan = planRun(input({ seeds: { distinct: 1990, cached: 1500 } }));
    expect(plan).toMatchObject({ images: 490 + 24_000, knownCached: 1500 });
    expect(plan.notes).toContainEqual(expect.stringMatching(/10 of the given images are repeated/));
  });

  it('asks about test images as far as allowed', () => {
    const spec = aSpec({ evaluation: { teacherImages: 500, standardKd: false } });
    expect(planRun(input({ spec, testImages: 300 })).evaluationImages).toBe(300);
    expect(planRun(input({ spec, testImages: 900 })).evaluationImages).toBe(500);
  });

  it('says when the budget does not cover it', () => {
    const over = planRun(input({ spec: aSpec({ budget: { images: 25_999 } }) }));
    expect(over.withinBudget).toBe(false);
    expect(over.notes).toEqual([
      'the budget ends it after 25 999 of up to 26 000 images, before there is a student; what is cached already costs nothing',
    ]);
    expect(planRun(input({ spec: aSpec({ budget: { images: 26_000 } }) })).withinBudget).toBe(true);
    const dear = {
      spec: aSpec({ budget: { moneyMicros: 38_999_999 } }),
      teacher: aTeacher({ pricePerImageMicros: 1500 }),
    };
    expect(planRun(input(dear)).withinBudget).toBe(false);
  });

  it('says when the budget covers the student, but not its evaluation', () => {
    const evaluation = { teacherImages: 500, standardKd: false };
    const teacher = aTeacher({ pricePerImageMicros: 1500 });
    for (const budget of [{ images: 26_000 }, { moneyMicros: 39_000_000 }]) {
      const { notes } = planRun(input({ spec: aSpec({ evaluation, budget }), teacher, testImages: 500 }));
      expect(notes).toEqual([expect.stringMatching(/of up to .*, before the student is evaluated; /)]);
    }
  });

  it("says when the teacher's own budget does not leave so much", () => {
    const few = planRun(input({ teacher: aTeacher({ imagesLeft: 25_999 }) }));
    expect(few).toMatchObject({ withinBudget: false });
    expect(few.notes).toContainEqual(
      expect.stringMatching(/^the teacher's own budget ends it after 25 999 of up to 26 000 images, before there is a/),
    );
    const dear = planRun(input({ teacher: aTeacher({ pricePerImageMicros: 1500, moneyLeftMicros: 38_999_999 }) }));
    expect(dear).toMatchObject({ withinBudget: false });
    expect(dear.notes).toContainEqual(
      expect.stringMatching(/^the teacher's own budget ends it at 38\.999999 USD of up to 39 USD, before there is a/),
    );
    expect(planRun(input({ teacher: aTeacher({ imagesLeft: 26_000 }) })).withinBudget).toBe(true);
  });

  const DAY_SECONDS = 86_400;
  it.each<[string, [images: number, windowSeconds: number][], number]>([
    ['none', [], 0],
    ['a second', [[100, 1]], 260],
    ['a day, of which the first windowful goes at once', [[1000, DAY_SECONDS]], 25 * DAY_SECONDS],
    ['a day that is not used up', [[26_000, DAY_SECONDS]], 0],
    ['the one that holds longest', [[100, 1], [600, 60], [30_000, DAY_SECONDS]], 2600], // prettier-ignore
  ])('tells how long the limits make it: %s', (_, limits, seconds) => {
    const rates = limits.map(([images, windowSeconds]) => ({ images, windowSeconds }));
    expect(planRun(input({ teacher: aTeacher({ rates }) })).labelSeconds).toBe(seconds);
  });

  it('remarks that teacher and student differ in classes, and that the teacher is down', () => {
    const { notes } = planRun(input({ teacher: aTeacher({ classes: 7, ready: false, detail: 'refused' }) }));
    expect(notes!.join('\n')).toMatch(/7 classes, the student has 10/);
    expect(notes!.join('\n')).toMatch(/does not answer now: refused/);
  });
});
