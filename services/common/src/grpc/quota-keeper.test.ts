import { describe, expect, it } from 'vitest';
import { ManualClock } from '../clock.js';
import type { BbdError } from '../errors.js';
import { ANONYMOUS } from './auth.js';
import { QuotaKeeper } from './quota-keeper.js';

const caller = (name: string, quotas = {}) => ({ ...ANONYMOUS, name, quotas });

function refusalOf(work: () => unknown): BbdError {
  try {
    work();
  } catch (error) {
    return error as BbdError;
  }
  throw new Error('nothing was refused');
}

describe('quotas', () => {
  it('quotas - calls a minute: a minute of them at once, then as time goes on', async () => {
    const clock = new ManualClock();
    const quotas = new QuotaKeeper({ callsPerMinute: 60 }, clock);
    for (let n = 0; n < 60; n++) quotas.enter(caller('a'));
    const refusal = refusalOf(() => quotas.enter(caller('a')));
    expect(refusal).toMatchObject({ kind: 'resource-exhausted', code: 'QUOTA_EXCEEDED', retryable: true });
    expect(refusal.retryAfterMs).toBe(1_000);
    await clock.advance(500);
    expect(refusalOf(() => quotas.enter(caller('a'))).retryAfterMs).toBe(500);
    await clock.advance(500);
    quotas.enter(caller('a'));
    expect(refusalOf(() => quotas.enter(caller('a'))).code).toBe('QUOTA_EXCEEDED');
  });

  it('quotas - one caller does not use up those of another, and has its own where the file gives it some', () => {
    const quotas = new QuotaKeeper({ callsPerMinute: 1 }, new ManualClock());
    quotas.enter(caller('a'));
    quotas.enter(caller('b'));
    expect(refusalOf(() => quotas.enter(caller('a'))).message).toContain('a makes more than 1 calls a minute');
    for (let n = 0; n < 5; n++) quotas.enter(caller('c', { callsPerMinute: 5 }));
    expect(refusalOf(() => quotas.enter(caller('c', { callsPerMinute: 5 }))).code).toBe('QUOTA_EXCEEDED');
  });

  it('quotas - calls open at once: one that ends makes room for one', () => {
    const quotas = new QuotaKeeper({ concurrentCalls: 2 }, new ManualClock());
    const leave = quotas.enter(caller('a'));
    quotas.enter(caller('a'));
    expect(refusalOf(() => quotas.enter(caller('a'))).message).toContain('2 calls open');
    leave();
    leave();
    quotas.enter(caller('a'));
    expect(refusalOf(() => quotas.enter(caller('a'))).code).toBe('QUOTA_EXCEEDED');
  });

  it('quotas - none where none is set', () => {
    const quotas = new QuotaKeeper({}, new ManualClock());
    for (let n = 0; n < 10_000; n++) quotas.enter(caller('a'));
  });
});
