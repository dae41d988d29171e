import { expect, it } from 'vitest';
import { Lateness, allowanceMs } from './lateness.js';

/** As after many calls that took from 10 to 12 ms. */
function settled(): Lateness {
  const lateness = new Lateness();
  for (let call = 0; call < 40; call++) lateness.note(10 + (call % 3));
  return lateness;
}

it('the first calls - each may have been on the way for all the time that it took', () => {
  expect(new Lateness().note(80)).toEqual({ lateMs: 80, isOutlier: true });
});

it('a usual variation - counts from the quickest call on, and up to a small part of the window', () => {
  const late = settled().note(12);
  expect(late.isOutlier).toBe(false);
  expect(late.lateMs).toBeCloseTo(2, 0);
  expect(allowanceMs({ lateMs: 30, isOutlier: false }, 1000)).toBe(20);
});

it('an outlier - counts in full, and up to the window', () => {
  const late = settled().note(300);
  expect(late.isOutlier).toBe(true);
  expect(allowanceMs(late, 1000)).toBeCloseTo(290, 0);
  expect(allowanceMs({ lateMs: 5_000, isOutlier: true }, 1000)).toBe(1000);
});
