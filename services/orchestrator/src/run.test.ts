import { describe, expect, it } from 'vitest';
import { addedUp } from './run.js';

describe('progress of a stage', () => {
  const epochs = { unit: 'epochs', done: 0, total: 50 };

  it('one job - counts in units of its own', () => {
    const steps = { unit: 'steps', done: 120, total: 600, loss: 0.4 };
    expect(addedUp([steps], epochs)).toEqual(steps);
  });

  it('one job that said nothing yet - shows the plan', () => {
    expect(addedUp([undefined], epochs)).toEqual(epochs);
  });

  it('several jobs - add up to what is planned for all, those too that said nothing yet', () => {
    const planned = { unit: 'images', done: 0, total: 2_048 };
    const part = { unit: 'images', done: 100, total: 1_024 };
    expect(addedUp([part, undefined], planned)).toEqual({ unit: 'images', done: 100, total: 2_048 });
    expect(addedUp([part, { ...part, done: 1_024 }], planned)).toEqual({ unit: 'images', done: 1_124, total: 2_048 });
  });

  it('several jobs - stand still where all that have begun and are not done do', () => {
    const planned = { unit: 'images', done: 0, total: 3_072 };
    const done = { unit: 'images', done: 1_024, total: 1_024 };
    const still = { unit: 'images', done: 100, total: 1_024, waitsFor: 'circuit breaker open' };
    expect(addedUp([done, still, undefined], planned)).toEqual({ ...planned, done: 1_124, waitsFor: still.waitsFor });
    expect(addedUp([done, still, { ...done, done: 7 }], planned)).toEqual({ ...planned, done: 1_131 });
  });
});
