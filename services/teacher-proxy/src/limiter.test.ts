import { CancelledError, ManualClock } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { PacingLimiter } from './limiter.js';
import type { Permit } from './limiter.js';

const limits = { imagesPerCall: 20, concurrency: 100, timeoutMs: 1000 };
const forever = new AbortController().signal;

async function takeTimes(limiter: PacingLimiter, clock: ManualClock, calls: number, images: number, overMs: number) {
  const takenAtMs: number[] = [];
  for (let call = 0; call < calls; call++) {
    void limiter.acquire(images, forever).then((permit) => {
      takenAtMs.push(clock.monotonicMs());
      permit.release();
    });
  }
  // Lets the calls line up before the time moves.
  await clock.advance(0);
  await clock.advance(overMs);
  return takenAtMs;
}

describe('limiter', () => {
  it('images per second - calls are spaced, no burst at the start', async () => {
    const clock = new ManualClock();
    const limiter = new PacingLimiter({ ...limits, imagesPerSecond: 200 }, clock);
    expect(await takeTimes(limiter, clock, 5, 20, 1000)).toEqual([0, 100, 200, 300, 400]);
  });

  it('calls per minute - are kept whatever the number of images', async () => {
    const clock = new ManualClock();
    const limiter = new PacingLimiter({ ...limits, callsPerMinute: 60 }, clock);
    expect(await takeTimes(limiter, clock, 3, 1, 10_000)).toEqual([0, 1000, 2000]);
  });

  it('hold off - nobody calls before it is over, and then spaced again', async () => {
    const clock = new ManualClock();
    const limiter = new PacingLimiter({ ...limits, imagesPerSecond: 200 }, clock);
    limiter.holdOff(5000);
    limiter.holdOff(1000);
    expect(await takeTimes(limiter, clock, 3, 20, 10_000)).toEqual([5000, 5100, 5200]);
  });

  it('concurrency - a call waits for a place, first come first served', async () => {
    const limiter = new PacingLimiter({ ...limits, concurrency: 1 }, new ManualClock());
    const first = await limiter.acquire(1, forever);
    const order: string[] = [];
    const others = ['a', 'b'].map((name) =>
      limiter.acquire(1, forever).then((permit: Permit) => {
        order.push(name);
        permit.release();
        permit.release();
      }),
    );
    await new Promise((resolve) => setImmediate(resolve));
    expect(order).toEqual([]);
    first.release();
    await Promise.all(others);
    expect(order).toEqual(['a', 'b']);
  });

  it('abort - while waiting for a place, leaves the place to others', async () => {
    const limiter = new PacingLimiter({ ...limits, concurrency: 1 }, new ManualClock());
    const first = await limiter.acquire(1, forever);
    const stop = new AbortController();
    const given = limiter.acquire(1, stop.signal);
    stop.abort();
    await expect(given).rejects.toBeInstanceOf(CancelledError);
    first.release();
    (await limiter.acquire(1, forever)).release();
  });

  it('abort - while waiting for the time, leaves the turn to others', async () => {
    const clock = new ManualClock();
    const limiter = new PacingLimiter({ ...limits, imagesPerSecond: 10 }, clock);
    (await limiter.acquire(10, forever)).release();
    const stop = new AbortController();
    const given = limiter.acquire(10, stop.signal);
    const next = limiter.acquire(10, forever);
    stop.abort();
    await expect(given).rejects.toBeInstanceOf(CancelledError);
    await clock.advance(1000);
    (await next).release();
    expect(clock.monotonicMs()).toBe(1000);
  });
});
