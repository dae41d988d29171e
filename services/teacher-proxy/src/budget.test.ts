import { FileMarks, ManualClock, UnavailableError } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { MemoryState } from '../../../test/helpers/memory-state.js';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.js';
import { waitFor } from '../../../test/helpers/wait-for.js';
import { BudgetExhaustedError } from './budget-exhausted.js';
import { Ledger } from './budget.js';
import { ClaimLostError } from './claim-lost.js';
import { spentBy } from './ledger-record.js';
import type { LedgerOptions } from './budget.js';
import type { Budget, Spent } from './ledger-record.js';

const price = { perImageMicros: 100, perCallMicros: 10, currency: 'USD', billsFailures: false };
const settled = (images: number) => ({ settled: images, unknown: 0, failed: 0, retried: false, charged: true });

function open(state = new MemoryState()) {
  const ledger = new Ledger(state, 'teacher', price);
  const reserve = (callId: string, images: number, budget: Budget = {}, run = 'run') =>
    ledger.reserve({ callId, run, phase: 'mixup', unit: 'unit', holder: 'me', images, budget });
  return { state, ledger, reserve };
}

describe('ledger', () => {
  it('reserve and dispatch in one step - one write, and the call is settled, not released', async () => {
    const { ledger, state } = open();
    await ledger.join('me');
    const before = state.writes;
    const request = { callId: '1', run: 'run', phase: 'mixup', unit: 'unit', holder: 'me', images: 20 } as const;
    expect(await ledger.reserve({ ...request, budget: { images: 12 }, dispatched: true })).toBe(12);
    expect(state.writes).toBe(before + 1);
    await expect(ledger.release('1')).rejects.toThrow('was dispatched');
    expect(ledger.seemsSpent('run', { images: 12 })).toBe(true);
    expect(ledger.seemsSpent('run', { images: 13 })).toBe(false);
  });

  it('reserve, dispatch, settle - images and money end in the phase of the run', async () => {
    const { ledger, reserve } = open();
    expect(await reserve('1', 20)).toBe(20);
    await ledger.dispatch('1');
    await ledger.settle('1', { settled: 15, unknown: 3, failed: 2, retried: true, charged: true });
    const { runs, open: calls } = await ledger.read();
    expect(runs).toEqual({
      run: { mixup: { settled: 15, unknown: 3, failed: 2, retried: 1, calls: 1, moneyMicros: 18 * 100 + 10 } },
    });
    expect(calls).toEqual({});
  });

  it('dispatch with marks - writes nothing to the store, and is known after the process is gone', async () => {
    await using folder = await temporaryFolder();
    const state = new MemoryState();
    const openLedger = (boot: string) => {
      const marks = FileMarks.open(folder.path, boot)!;
      const ledger = new Ledger(state, 'teacher', price, { clock: new ManualClock(), leaseMs: 10_000, marks });
      return { ledger, marks };
    };
    const { ledger, marks } = openLedger('boot-1');
    await ledger.join('me');
    const request = { run: 'run', phase: 'mixup', unit: 'unit', holder: 'me', images: 20, budget: {} } as const;
    for (const callId of ['sent', 'waiting', 'settled']) await ledger.reserve({ ...request, callId });
    await ledger.dispatch('settled');
    await ledger.settle('settled', settled(20));
    const before = state.writes;
    await ledger.dispatch('sent');
    expect(state.writes).toBe(before);
    await expect(ledger.release('sent')).rejects.toThrow('was dispatched');
    expect([marks.has('sent'), marks.has('settled')]).toEqual([true, false]);

    const { open } = await ledger.read();
    const next = openLedger('boot-1');
    const rebooted = openLedger('boot-2');
    const left = (by: Ledger) => ['sent', 'waiting'].map((callId) => by.mayHaveLeft(callId, open[callId]!));
    expect(left(next.ledger)).toEqual([true, false]);
    // The machine went down: the marks may not have reached the disk.
    expect(left(rebooted.ledger)).toEqual([true, true]);
    for (const each of [marks, next.marks, rebooted.marks]) each.close();
  });

  it('dispatch with marks - a process that stood still for the time of a lease writes, and hears that it is dead', async () => {
    await using folder = await temporaryFolder();
    const marks = FileMarks.open(folder.path, 'boot-1')!;
    const [clock, state] = [new ManualClock(), new MemoryState()];
    const frozen = new Ledger(state, 'teacher', price, { clock, leaseMs: 10_000, marks });
    const request = { run: 'run', phase: 'mixup', unit: 'unit', holder: 'me', images: 20, budget: {} } as const;
    await frozen.reserve({ ...request, callId: '1' });
    const other = new Ledger(state, 'teacher', price);
    await other.release('1');
    await other.bury('me');
    await clock.advance(10_000);
    await expect(frozen.dispatch('1')).rejects.toBeInstanceOf(ClaimLostError);
    expect(marks.has('1')).toBe(false);
    marks.close();
  });

  it('reserve - grants what is left of the images, then nothing', async () => {
    const { ledger, reserve } = open();
    expect(await reserve('1', 20, { images: 30 })).toBe(20);
    expect(await reserve('2', 20, { images: 30 })).toBe(10);
    expect(await reserve('3', 20, { images: 30 })).toBe(0);
    for (const [call, images] of [
      ['1', 20],
      ['2', 10],
    ] as const) {
      await ledger.dispatch(call);
      await ledger.settle(call, settled(images));
    }
    await expect(reserve('4', 1, { images: 30 })).rejects.toBeInstanceOf(BudgetExhaustedError);
    await expect(reserve('4', 1, { images: 30 })).rejects.toMatchObject({
      code: 'BUDGET_EXHAUSTED',
      kind: 'budget-exhausted',
    });
    expect(await reserve('5', 1, { images: 31 })).toBe(1);
  });

  it('reserve - money counts images and the call', async () => {
    const { reserve } = open();
    expect(await reserve('1', 20, { moneyMicros: 560 })).toBe(5);
  });

  it('reserve - what is unknown stays spent', async () => {
    const { ledger, reserve } = open();
    await reserve('1', 20, { images: 20 });
    await ledger.dispatch('1');
    await ledger.settle('1', { settled: 0, unknown: 20, failed: 0, retried: false, charged: true });
    await expect(reserve('2', 1, { images: 20 })).rejects.toThrow('20 of 20 images');
  });

  it('reserve - runs have budgets of their own', async () => {
    const { reserve } = open();
    await reserve('1', 20, { images: 20 }, 'one');
    expect(await reserve('2', 20, { images: 20 }, 'two')).toBe(20);
  });

  it('release - gives a reservation back, but never a dispatched one', async () => {
    const { ledger, reserve } = open();
    await reserve('1', 20, { images: 20 });
    await ledger.release('1');
    expect(await reserve('2', 20, { images: 20 })).toBe(20);
    await ledger.dispatch('2');
    await expect(ledger.release('2')).rejects.toThrow('settled, not released');
    expect(spentBy(await ledger.read(), 'run').images).toBe(20);
  });

  it('settle - twice is once', async () => {
    const { ledger, reserve } = open();
    await reserve('1', 20);
    await ledger.dispatch('1');
    await ledger.settle('1', settled(20));
    await ledger.settle('1', settled(20));
    expect(spentBy(await ledger.read(), 'run').images).toBe(20);
  });

  it('concurrency - two processes never grant more than the budget together', async () => {
    const state = new MemoryState();
    const ledgers = [open(state), open(state)];
    const granted = await Promise.all(
      Array.from({ length: 40 }, (_, call) => ledgers[call % 2]!.reserve(String(call), 7, { images: 100 })),
    );
    expect(granted.reduce((sum, images) => sum + images, 0)).toBe(100);
    expect(spentBy(await ledgers[0]!.ledger.read(), 'run').images).toBe(100);
  });

  it('concurrency - steps that wait are written together', async () => {
    const { state, reserve } = open();
    await Promise.all(Array.from({ length: 50 }, (_, call) => reserve(String(call), 1)));
    expect(state.writes).toBeLessThan(5);
  });

  it('concurrency - a process that others came before looks first from then on, and writes blindly when it is alone', async () => {
    const { state, ledger: mine } = open();
    const { ledger: theirs } = open(state);
    let attempts = 0;
    state.beforeWrite = () => void attempts++;
    const attemptsOf = async (work: () => Promise<unknown>) => {
      attempts = 0;
      await work();
      return attempts;
    };
    await mine.join('mine');
    expect(await attemptsOf(() => theirs.join('theirs'))).toBe(1);
    expect(await attemptsOf(() => mine.join('mine-2'))).toBe(2);
    await theirs.join('theirs-2');
    expect(await attemptsOf(() => mine.join('mine-3'))).toBe(1);
    let looks = 0;
    const get = state.get.bind(state);
    state.get = (key) => (looks++, get(key));
    await mine.join('mine-4');
    await mine.join('mine-5');
    expect(looks).toBe(1);
  });

  it('store down - fails closed, and works again afterwards', async () => {
    const { state, reserve } = open();
    state.beforeWrite = () => {
      throw new UnavailableError('the store is away');
    };
    await expect(reserve('1', 1)).rejects.toThrow('the store is away');
    state.beforeWrite = () => undefined;
    expect(await reserve('2', 1)).toBe(1);
  });
});

describe('ledger - replicas', () => {
  const options = (clock: ManualClock, more: Partial<LedgerOptions> = {}) => ({ clock, leaseMs: 10_000, ...more });
  const request = (callId: string, images: number, budget: Budget = {}, run = 'run') =>
    ({ callId, run, phase: 'mixup', unit: 'unit', holder: 'me', images, budget }) as const;

  /** Ledgers of two processes on one store. */
  const twoProcesses = (): [Ledger, Ledger] => {
    const state = new MemoryState();
    const clock = new ManualClock();
    const open = () => new Ledger(state, 'teacher', price, options(clock));
    return [open(), open()];
  };

  it('a process that is condemned - sends nothing more, and can still end what it has sent', async () => {
    const [frozen, other] = twoProcesses();
    await frozen.join('me');
    await frozen.reserve(request('sent', 20));
    await frozen.reserve(request('waiting', 20));
    await frozen.dispatch('sent');
    const { me: beat } = await other.holders();
    expect(await other.condemn('me', beat!)).toBe(true);
    // As whoever goes on with it after the one who did that has died.
    const { me: after } = await other.holders();
    expect(after).not.toBe(beat);
    expect(await other.condemn('me', after!)).toBe(true);
    await expect(frozen.dispatch('waiting')).rejects.toBeInstanceOf(ClaimLostError);
    await expect(frozen.reserve(request('new', 20))).rejects.toBeInstanceOf(ClaimLostError);
    expect(frozen.isAlive('me')).toBe(false);
    expect(await frozen.settle('sent', settled(20))).toBe(true);
    const { open } = await other.read();
    expect(Object.keys(open)).toEqual(['waiting']);
    await frozen.close();
  });

  it('withdraw - says whether the call was open, or others have ended it', async () => {
    const [mine, other] = twoProcesses();
    await mine.reserve(request('open', 20));
    await mine.reserve(request('ended', 20));
    await mine.dispatch('ended');
    await other.settle('ended', { settled: 0, unknown: 20, failed: 0, retried: false, charged: true });
    expect([await mine.withdraw('open'), await mine.withdraw('ended'), await mine.withdraw('none')]).toEqual([
      true,
      false,
      false,
    ]);
    expect((await other.read()).runs['run']!.mixup).toMatchObject({ unknown: 20 });
    await mine.close();
  });

  it('a process that has shown life since it was looked at - is not condemned', async () => {
    const [slow, other] = twoProcesses();
    await slow.join('me');
    await slow.reserve(request('1', 20));
    const { me: beat } = await other.holders();
    await slow.dispatch('1');
    expect(await other.condemn('me', beat!)).toBe(false);
    await slow.reserve(request('2', 20));
    expect(await other.condemn('gone', 0)).toBe(false);
    await slow.close();
  });

  it('a process that others took for dead - sends nothing more, and others see what it may have sent', async () => {
    const [frozen, other] = twoProcesses();
    await frozen.join('me');
    await frozen.reserve(request('1', 20));
    await frozen.reserve(request('2', 20));
    await frozen.dispatch('1');
    expect(frozen.isAlive('me')).toBe(true);
    await other.settle('1', { settled: 0, unknown: 20, failed: 0, retried: false, charged: true });
    await other.release('2');
    await other.bury('me');
    await expect(frozen.dispatch('2')).rejects.toBeInstanceOf(ClaimLostError);
    await expect(frozen.reserve(request('3', 20))).rejects.toBeInstanceOf(ClaimLostError);
    await frozen.settle('1', settled(20));
    expect((await other.read()).runs['run']!.mixup).toMatchObject({ settled: 0, unknown: 20 });
    // What it had claimed may be another's by now: under this name nothing is sent again, whoever heard of it first.
    await expect(frozen.reserve(request('4', 20))).rejects.toBeInstanceOf(ClaimLostError);
    await expect(frozen.join('me')).rejects.toBeInstanceOf(ClaimLostError);
    expect(Object.keys((await other.read()).open)).toEqual([]);
    await frozen.join('me.g1');
    expect(await frozen.reserve({ ...request('5', 20), holder: 'me.g1' })).toBe(20);
    await frozen.close();
  });

  it('a process that others took for dead - sends nothing more where its sign of life was the first to hear of it', async () => {
    const state = new MemoryState();
    const clock = new ManualClock();
    const frozen = new Ledger(state, 'teacher', price, options(clock));
    await frozen.join('me');
    await new Ledger(state, 'teacher', price).bury('me');
    await clock.advance(2_500);
    await waitFor('the sign of life to be refused', () => !frozen.isAlive('me'));
    await expect(frozen.reserve(request('1', 20))).rejects.toBeInstanceOf(ClaimLostError);
    await frozen.close();
  });

  it('join - that fails keeps nobody alive', async () => {
    const state = new MemoryState();
    const clock = new ManualClock();
    const ledger = new Ledger(state, 'teacher', price, options(clock));
    await ledger.join('me');
    state.beforeWrite = () => {
      throw new UnavailableError('the store is away');
    };
    // The name is in the ledger: only what others wrote in between lets it write at all.
    state.get = async () => {
      throw new UnavailableError('the store is away');
    };
    await expect(ledger.join('me')).rejects.toThrow('the store is away');
    state.beforeWrite = () => undefined;
    delete (state as Partial<MemoryState>).get;
    ledger.leave('me');
    await waitFor('the holder to leave', async () => {
      await clock.advance(2_500);
      return !(await ledger.read()).holders!['me'];
    });
    await ledger.close();
  });

  it('alive - only as long as nobody can have taken it for dead, and while a task needs it', async () => {
    const clock = new ManualClock();
    const state = new MemoryState();
    const ledger = new Ledger(state, 'teacher', price, options(clock));
    await ledger.join('me');
    const before = (await ledger.read()).holders!['me']!;
    for (let n = 0; n < 10; n++) await clock.advance(2500);
    await waitFor('a sign of life', async () => (await ledger.read()).holders!['me']! > before + 3);
    expect(ledger.isAlive('me')).toBe(true);
    ledger.leave('me');
    await clock.advance(2500);
    await waitFor('the holder to leave', async () => !(await ledger.read()).holders!['me']);
    await ledger.close();
  });

  it('a process that left and comes back - repeats no sign of life: who saw the former one must not condemn it', async () => {
    const clock = new ManualClock();
    const state = new MemoryState();
    const ledger = new Ledger(state, 'teacher', price, options(clock));
    const other = new Ledger(state, 'teacher', price);
    const seen = new Set<number>();
    for (let stay = 0; stay < 4; stay++) {
      await ledger.join('me');
      const { me: beat } = await other.holders();
      expect(seen.has(beat!), `beat ${beat}`).toBe(false);
      for (const former of seen) expect(await other.condemn('me', former)).toBe(false);
      seen.add(beat!);
      ledger.leave('me');
      await waitFor('the holder to leave', async () => {
        await clock.advance(2_500);
        return (await other.holders())['me'] === undefined;
      });
    }
    await ledger.close();
  });

  it('what could not be written - is made up for by the next write', async () => {
    const state = new MemoryState();
    const ledger = new Ledger(state, 'teacher', price, options(new ManualClock()));
    for (const call of ['1', '2']) await ledger.reserve(request(call, 20));
    await ledger.dispatch('1');
    state.beforeWrite = () => {
      throw new UnavailableError('the store is away');
    };
    await expect(ledger.settle('1', settled(20))).rejects.toThrow('the store is away');
    await expect(ledger.withdraw('2')).rejects.toThrow('the store is away');
    state.beforeWrite = () => undefined;
    await ledger.reserve(request('3', 1));
    const { open, runs } = await ledger.read();
    expect(Object.keys(open)).toEqual(['3']);
    expect(runs['run']!.mixup!.settled).toBe(20);
  });

  it("the teacher's own ceilings - hold over all runs, a month's until the next one", async () => {
    const clock = new ManualClock(Date.UTC(2026, 10, 30, 23, 59, 59));
    const ledger = new Ledger(new MemoryState(), 'teacher', price, options(clock, { budget: { imagesPerMonth: 30 } }));
    const spend = async (call: string, run: string) => {
      const images = await ledger.reserve(request(call, 20, {}, run));
      await ledger.dispatch(call);
      await ledger.settle(call, settled(images));
      return images;
    };
    expect(await spend('1', 'one')).toBe(20);
    expect(await spend('2', 'two')).toBe(10);
    await expect(spend('3', 'three')).rejects.toThrow("this month's budget");
    await clock.advance(2000);
    expect(await spend('4', 'three')).toBe(20);
  });

  it('free tier - costs nothing until it is used up, and is never given out twice', async () => {
    const free = { ...price, perCallMicros: 0, freeImagesPerMonth: 25 };
    const ledger = new Ledger(new MemoryState(), 'teacher', free, options(new ManualClock()));
    expect(await ledger.reserve(request('1', 20, { moneyMicros: 0 }))).toBe(20);
    expect(await ledger.reserve(request('2', 20, { moneyMicros: 300 }, 'two'))).toBe(8);
    for (const [call, images] of [
      ['1', 20],
      ['2', 8],
    ] as const) {
      await ledger.dispatch(call);
      await ledger.settle(call, settled(images));
    }
    const { runs } = await ledger.read();
    expect([runs['run']!.mixup!.moneyMicros, runs['two']!.mixup!.moneyMicros]).toEqual([0, 300]);
  });

  it('warning - is told once, when most of the budget is spent', async () => {
    const warned: string[] = [];
    const onWarning = (run: string, spent: Spent) => warned.push(`${run} ${spent.images}`);
    const ledger = new Ledger(new MemoryState(), 'teacher', price, options(new ManualClock(), { onWarning }));
    for (let call = 0; call < 10; call++) await ledger.reserve(request(String(call), 10, { images: 100 }));
    expect(warned).toEqual(['run 80']);
    for (let call = 10; call < 20; call++) await ledger.reserve(request(String(call), 10, { images: 200 }));
    expect(warned).toEqual(['run 80', 'run 160']);
  });

  it('warning - is told of each month, and of the total', async () => {
    const warned: string[] = [];
    const onWarning = (run: string, spent: Spent) => warned.push(`${run} ${spent.images}`);
    const clock = new ManualClock(Date.UTC(2026, 10, 30));
    const budget = { images: 200, imagesPerMonth: 100 };
    const ledger = new Ledger(new MemoryState(), 'teacher', price, options(clock, { onWarning, budget }));
    const spend = async (call: string) => {
      await ledger.reserve(request(call, 80));
      await ledger.dispatch(call);
      await ledger.settle(call, settled(80));
    };
    await spend('november');
    expect(warned).toEqual(['* 80']);
    await clock.advance(2 * 24 * 3600 * 1000);
    await spend('december');
    expect(warned).toEqual(['* 80', '* 160', '* 80']);
  });

  it('a process that stood still while it archived - takes nothing from what others have spent since', async () => {
    const state = new MemoryState();
    const clock = new ManualClock();
    const [frozen, other] = [0, 1].map(() => new Ledger(state, 'teacher', price, options(clock))) as [Ledger, Ledger];
    const spend = async (ledger: Ledger, run: string, images = 10) => {
      const callId = `${run}-${images}`;
      await ledger.reserve(request(callId, images, {}, run));
      await ledger.dispatch(callId);
      await ledger.settle(callId, settled(images));
    };
    for (let run = 0; run < 64; run++) await spend(other, `run-${run}`);
    const get = state.get.bind(state);
    let isOver = false;
    state.get = async (key) => {
      if (key === 'ledger-runs/teacher/run-0' && !isOver) {
        isOver = true;
        // Others archive run-0, bring it back, spend for it, and archive it again.
        await spend(other, 'more-0');
        await spend(other, 'run-0', 7);
        for (let run = 1; run <= 64; run++) await spend(other, `more-${run}`);
      }
      return get(key);
    };
    await spend(frozen, 'run-64');
    expect(isOver).toBe(true);
    const fresh = new Ledger(state, 'teacher', price, options(clock));
    await expect(fresh.reserve(request('again', 1, { images: 17 }, 'run-0'))).rejects.toBeInstanceOf(
      BudgetExhaustedError,
    );
  });

  it('many runs - leave the record and come back with all that they have spent', async () => {
    const state = new MemoryState();
    const ledger = new Ledger(state, 'teacher', price, options(new ManualClock()));
    for (let run = 0; run < 200; run++) {
      await ledger.reserve(request(`c${run}`, 10, {}, `run-${run}`));
      await ledger.dispatch(`c${run}`);
      await ledger.settle(`c${run}`, settled(10));
    }
    expect(Object.keys((await ledger.read()).runs).length).toBeLessThanOrEqual(65);
    const other = new Ledger(state, 'teacher', price, options(new ManualClock()));
    await expect(other.reserve(request('again', 1, { images: 10 }, 'run-0'))).rejects.toBeInstanceOf(
      BudgetExhaustedError,
    );
    let runs = 0;
    for await (const [, usage] of other.usage()) runs += usage.mixup!.settled / 10;
    expect(runs).toBe(200);
  });
});
