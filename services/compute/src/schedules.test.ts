import { describe, expect, it } from 'vitest';
import { scheduleFor } from './schedules.js';

describe('schedule - constant', () => {
  it('never changes', () => {
    const rate = scheduleFor('constant', 0.5, 10);
    expect([rate(0, []), rate(5, []), rate(9, [])]).toEqual([0.5, 0.5, 0.5]);
  });
});

describe('schedule - one-cycle', () => {
  it("follows PyTorch's OneCycleLR(max_lr=1, total_steps=10)", () => {
    const rate = scheduleFor('one-cycle', 1, 10);
    // Worked out from its published formula: up to step 2 along half a cosine, down to 1/25e4 along another.
    const torch = [0.04, 0.52, 1, 0.950484, 0.811745, 0.61126, 0.388742, 0.188257, 0.049519, 4e-6];
    torch.forEach((expected, step) => expect(rate(step, [])).toBeCloseTo(expected, 5));
  });

  it('stays finite where there is one step only', () => {
    expect(Number.isFinite(scheduleFor('one-cycle', 1, 1)(0, []))).toBe(true);
    expect(Number.isFinite(scheduleFor('one-cycle', 1, 2)(1, []))).toBe(true);
  });
});

describe('schedule - step', () => {
  it('is divided by ten at epochs 80, 120, 160 and 180 of 200', () => {
    const rate = scheduleFor('step', 1, 2000);
    expect([799, 800, 1199, 1200, 1600, 1800, 1999].map((step) => rate(step, []))).toEqual([
      1, 0.1, 0.1, 0.01, 0.001, 0.0001, 0.0001,
    ]);
  });
});

describe('schedule - cosine', () => {
  it('falls from the rate along half a cosine, never below zero', () => {
    const rate = scheduleFor('cosine', 2, 100);
    expect([0, 50, 25].map((step) => rate(step, []))).toEqual(
      [2, 1, 1 + Math.SQRT1_2].map((x) => expect.closeTo(x, 9) as number),
    );
    expect(rate(99, [])).toBeGreaterThan(0);
  });
});

describe('schedule - plateau', () => {
  const rate = scheduleFor('plateau', 1, 100);
  const flat = (epochs: number) => new Array<number>(epochs).fill(0.5);

  it('is divided by ten after ten epochs without a better loss, and again after ten more', () => {
    expect(rate(0, [])).toBe(1);
    expect(rate(0, [0.5, ...flat(9)])).toBe(1);
    expect(rate(0, [0.5, ...flat(10)])).toBe(0.1);
    expect(rate(0, [0.5, ...flat(20)])).toBe(0.01);
  });

  it('waits anew after every better loss, but not for one that is hardly better', () => {
    expect(rate(0, [0.5, ...flat(9), 0.4, ...flat(9)])).toBe(1);
    expect(rate(0, [0.5, ...flat(9), 0.49995])).toBe(0.1);
  });
});
