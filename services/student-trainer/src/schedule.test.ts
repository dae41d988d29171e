import { describe, expect, it } from 'vitest';
import { scheduleFor } from './schedule.js';

describe('schedule - constant', () => {
  it('never changes', () => {
    const rate = scheduleFor('constant', 0.5, 10);
    expect([rate(0), rate(5), rate(9)]).toEqual([0.5, 0.5, 0.5]);
  });
});

describe('schedule - one-cycle', () => {
  it("follows PyTorch's OneCycleLR(max_lr=1, total_steps=10)", () => {
    const rate = scheduleFor('one-cycle', 1, 10);
    // Worked out from its published formula: up to step 2 along half a cosine, down to 1/25e4 along another.
    const torch = [0.04, 0.52, 1, 0.950484, 0.811745, 0.61126, 0.388742, 0.188257, 0.049519, 4e-6];
    torch.forEach((expected, step) => expect(rate(step)).toBeCloseTo(expected, 5));
  });

  it('stays finite where there is one step only', () => {
    expect(Number.isFinite(scheduleFor('one-cycle', 1, 1)(0))).toBe(true);
    expect(Number.isFinite(scheduleFor('one-cycle', 1, 2)(1))).toBe(true);
  });
});
