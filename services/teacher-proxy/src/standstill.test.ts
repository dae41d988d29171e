import { ManualClock } from '@bbdistill/common';
import type { JobProgress } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { STANDSTILL_MS, showStandstills } from './standstill.js';

function begin(reason: () => Promise<string>) {
  const clock = new ManualClock();
  const shown: JobProgress[] = [];
  const context = { progress: (progress: JobProgress) => void shown.push(progress) };
  let step: (done: number, total: number) => void = () => undefined;
  let end: (result: string) => void = () => undefined;
  const work = showStandstills({ clock, context, images: 40, reason }, (onProgress) => {
    step = onProgress;
    return new Promise<string>((resolve) => (end = resolve));
  });
  const pass = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 1_000) {
      await clock.advance(1_000);
      await new Promise(setImmediate);
    }
  };
  return { clock, shown, work, pass, step: (done: number) => step(done, 40), end: () => end('labelled') };
}

describe('work that stands still', () => {
  const dead = () => Promise.resolve('circuit breaker open');

  it('is shown with the reason, until it goes on', async () => {
    const { shown, pass, step, work, end, clock } = begin(dead);
    await pass(STANDSTILL_MS + 2_000);
    expect(shown.at(-1)).toEqual({ unit: 'images', done: 0, total: 40, waitsFor: 'circuit breaker open' });
    step(20);
    expect(shown.at(-1)).toEqual({ unit: 'images', done: 20, total: 40 });
    end();
    expect(await work).toBe('labelled');
    expect(clock.sleeping).toBe(0);
  });

  it('is not, while something comes now and then', async () => {
    const { shown, pass, step, end } = begin(dead);
    for (let done = 1; done < 6; done++) {
      await pass(STANDSTILL_MS - 1_000);
      step(done);
    }
    expect(shown.filter(({ waitsFor }) => waitsFor !== undefined)).toEqual([]);
    end();
  });

  it('goes on where the reason can not be told', async () => {
    const { pass, step, shown, work, end } = begin(() => Promise.reject(new Error('the store is away')));
    await pass(2 * STANDSTILL_MS);
    step(40);
    end();
    expect(await work).toBe('labelled');
    expect(shown.at(-1)).toEqual({ unit: 'images', done: 40, total: 40 });
    expect(shown.every(({ waitsFor }) => waitsFor === undefined)).toBe(true);
  });
});
