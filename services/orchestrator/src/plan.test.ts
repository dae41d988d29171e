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
    // 20 images a call; a call never crosses the end of a shard of 1024.
    expect(plan.calls).toBe(52 + 49 + 23 * 52 + 23);
    expect(plan.costMicros).toBe(26_000 * 1500 + Number(plan.calls) * 10);
  });

  it('counts a call of its own for the end of each shard, which has fewer images where they are large', () => {
    const shape = { height: 1024, width: 1024, channels: 3 };
    const real = { ...input().real, images: 63, shape };
    const spec = aSpec({ synthesis: { ...aSpec().synthesis, images: 0 } });
    // Shards of 21 images, of which a call takes 20.
    expect(planRun(input({ spec, real, seeds: { distinct: 63, cached: 0 } })).calls).toBe(3 * 2);
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
    expect(over.notes).toContainEqual(expect.stringMatching(/the budget allows 25999/));
    expect(planRun(input({ spec: aSpec({ budget: { images: 26_000 } }) })).withinBudget).toBe(true);
    const dear = {
      spec: aSpec({ budget: { moneyMicros: 38_999_999 } }),
      teacher: aTeacher({ pricePerImageMicros: 1500 }),
    };
    expect(planRun(input(dear)).withinBudget).toBe(false);
  });

  it('tells how long the limit makes it', () => {
    expect(planRun(input({ teacher: aTeacher({ imagesPerSecond: 100 }) })).labelSeconds).toBe(260);
  });

  it('remarks that teacher and student differ in classes, and that the teacher is down', () => {
    const { notes } = planRun(input({ teacher: aTeacher({ classes: 7, ready: false, detail: 'refused' }) }));
    expect(notes!.join('\n')).toMatch(/7 classes, the student has 10/);
    expect(notes!.join('\n')).toMatch(/does not answer now: refused/);
  });
});
