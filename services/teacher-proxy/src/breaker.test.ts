import { ManualClock } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { BREAKER_FAILURES, CircuitBreaker, FIRST_COOL_DOWN_MS, MAX_COOL_DOWN_MS } from './breaker.js';
import type { Leave } from './breaker.js';
import type { QueryOutcome } from './teacher.js';

const failed: QueryOutcome = { kind: 'failed', message: 'HTTP 500' };
const answered: QueryOutcome = { kind: 'answered', answers: [] };
const forever = new AbortController().signal;

async function opened() {
  const clock = new ManualClock();
  const told: string[] = [];
  const breaker = new CircuitBreaker(clock, (coolDownMs, reason) => told.push(`${coolDownMs} ${reason}`));
  for (let call = 0; call < BREAKER_FAILURES; call++) {
    breaker.note(await breaker.pass(forever), failed);
  }
  return { clock, breaker, told };
}

describe('circuit breaker', () => {
  it('failures in a row - open it, and it says why and what it waits for', async () => {
    const { breaker, told } = await opened();
    expect(breaker.state()).toEqual({
      state: 'open',
      detail: '8 calls in a row failed (HTTP 500): the next call is tried in 1 s',
    });
    expect(told).toHaveLength(1);
  });

  it('hopeless - soon where nothing was ever answered, after two minutes where something was', async () => {
    const { clock, breaker } = await opened();
    const restsUntilHopeless = async () => {
      let rests = 0;
      for (; !breaker.isHopeless; rests++) {
        await clock.advance(MAX_COOL_DOWN_MS);
        breaker.note(await breaker.pass(forever), failed);
      }
      return rests;
    };
    expect(await restsUntilHopeless()).toBe(2);
    await clock.advance(MAX_COOL_DOWN_MS);
    const late = await breaker.pass(forever);
    breaker.note(late, answered);
    for (let call = 0; call < 10 * BREAKER_FAILURES; call++) breaker.note(late, failed);
    expect(breaker.isHopeless).toBe(false);
    expect(await restsUntilHopeless()).toBe(7);
  });

  it('failures among answers - leave it closed', async () => {
    const breaker = new CircuitBreaker(new ManualClock());
    for (let call = 0; call < 10 * BREAKER_FAILURES; call++) {
      breaker.note(await breaker.pass(forever), call % 3 === 0 ? answered : failed);
    }
    expect(breaker.state().state).toBe('closed');
  });

  it('half open - one call at a time; an answer closes it, a failure opens it for longer', async () => {
    const { clock, breaker } = await opened();
    const passed: Leave[] = [];
    for (let call = 0; call < 3; call++) void breaker.pass(forever).then((leave) => passed.push(leave));
    await clock.advance(FIRST_COOL_DOWN_MS);
    expect(passed).toHaveLength(1);
    expect(breaker.state().state).toBe('half-open');
    breaker.note(passed[0]!, failed);
    await clock.advance(FIRST_COOL_DOWN_MS);
    expect(passed).toHaveLength(1);
    await clock.advance(FIRST_COOL_DOWN_MS);
    expect(passed).toHaveLength(2);
    breaker.note(passed[1]!, answered);
    await clock.advance(0);
    expect(passed).toHaveLength(3);
    expect(breaker.state()).toEqual({ state: 'closed', detail: '' });
  });

  it('a call that was not sent - lets the next one try; abort - ends the wait', async () => {
    const { clock, breaker } = await opened();
    await clock.advance(FIRST_COOL_DOWN_MS);
    const probe = await breaker.pass(forever);
    const stop = new AbortController();
    const aborted = breaker.pass(stop.signal);
    const next = breaker.pass(forever);
    stop.abort();
    await expect(aborted).rejects.toThrow();
    breaker.note(probe, undefined);
    await next;
  });

  it('a call that had leave before it opened - has none any more, and its end is not that of the probe', async () => {
    const clock = new ManualClock();
    const breaker = new CircuitBreaker(clock);
    const early = await Promise.all(Array.from({ length: BREAKER_FAILURES + 2 }, () => breaker.pass(forever)));
    const [queued, cancelled] = early.splice(0, 2) as [Leave, Leave];
    for (const leave of early) breaker.note(leave, failed);
    expect(breaker.holds(queued)).toBe(false);
    await clock.advance(FIRST_COOL_DOWN_MS);
    const probe = await breaker.pass(forever);
    expect(breaker.holds(probe)).toBe(true);
    const passed: Leave[] = [];
    void breaker.pass(forever).then((leave) => passed.push(leave));
    breaker.note(queued, failed);
    breaker.note(cancelled, undefined);
    await clock.advance(0);
    expect(passed).toEqual([]);
    expect(breaker.state().state).toBe('half-open');
    breaker.note(probe, answered);
    await clock.advance(0);
    expect(passed).toHaveLength(1);
    expect(breaker.holds(passed[0]!)).toBe(true);
  });
});
