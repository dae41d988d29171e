import { UnavailableError } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { MemoryState } from '../../../test/helpers/memory-state.js';
import { BudgetExhaustedError, Ledger, spentBy } from './budget.js';
import type { Budget } from './budget.js';

const price = { perImageMicros: 100, perCallMicros: 10, currency: 'USD', billsFailures: false };
const settled = (images: number) => ({ settled: images, unknown: 0, failed: 0, retried: false, charged: true });

function open(state = new MemoryState()) {
  const ledger = new Ledger(state, 'teacher', price);
  const reserve = (callId: string, images: number, budget: Budget = {}, run = 'run') =>
    ledger.reserve({ callId, run, phase: 'mixup', unit: 'unit', holder: 'me', images, budget });
  return { state, ledger, reserve };
}

describe('ledger', () => {
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
