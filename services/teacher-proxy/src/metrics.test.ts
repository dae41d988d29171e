import { ManualClock } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { LimitUse, UTILISATION_WINDOW_MS, measuredStore } from './metrics.js';

const limits = (rates: object) => ({ concurrency: 100, imagesPerCall: 10, ...rates });

describe('the time to store answers', () => {
  it('store - tells of answers that wait for long, while they still do', async () => {
    const clock = new ManualClock();
    const late: number[] = [];
    const onLate = (sinceMs: number) => late.push(sinceMs);
    await measuredStore('fake', clock, onLate, () => clock.sleep(0));
    let stored: () => void = () => undefined;
    const storing = measuredStore('fake', clock, onLate, () => new Promise<void>((resolve) => (stored = resolve)));
    await clock.advance(499);
    expect(late).toEqual([]);
    await clock.advance(1);
    expect(late).toEqual([500]);
    stored();
    await storing;
    await clock.advance(10_000);
    expect(late).toEqual([500]);
  });

  it('store - an answer that could not be stored is told of by its error alone', async () => {
    const clock = new ManualClock();
    const late: number[] = [];
    const failing = measuredStore(
      'fake',
      clock,
      (sinceMs) => late.push(sinceMs),
      () => Promise.reject(new Error('full')),
    );
    await expect(failing).rejects.toThrow('full');
    await clock.advance(10_000);
    expect(late).toEqual([]);
  });
});

describe('the use of a limit', () => {
  it('limit use - is the part of the limit that binds most, averaged over half a minute', async () => {
    const clock = new ManualClock();
    const use = new LimitUse(limits({ imagesPerSecond: 10, callsPerMinute: 600 }), clock);
    expect(use.ratio()).toBe(0);
    for (let call = 0; call < 15; call++) use.add(10, 100);
    expect(use.ratio()).toBeCloseTo(150 / 300);
    await clock.advance(UTILISATION_WINDOW_MS - 1);
    expect(use.ratio()).toBeCloseTo(0.5);
    await clock.advance(1);
    expect(use.ratio()).toBe(0);
  });

  it('limit use - of calls that may be open at once counts how long they are', () => {
    const use = new LimitUse(limits({ concurrency: 2 }), new ManualClock());
    use.add(10, UTILISATION_WINDOW_MS);
    expect(use.ratio()).toBeCloseTo(0.5);
  });

  it('limit use - is never more than all, and a limit of a day is left out', () => {
    const clock = new ManualClock();
    const perSecond = new LimitUse(limits({ imagesPerSecond: 1 }), clock);
    const perDay = new LimitUse(limits({ imagesPerDay: 100 }), clock);
    for (const use of [perSecond, perDay]) use.add(100, 10);
    expect(perSecond.ratio()).toBe(1);
    expect(perDay.ratio()).toBeLessThan(0.01);
  });
});
