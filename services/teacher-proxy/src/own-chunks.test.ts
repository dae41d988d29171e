import { ManualClock, UnavailableError, decodeJson, silentLogger } from '@bbdistill/common';
import { beforeEach, describe, expect, it } from 'vitest';
import { MemoryState } from '../../../test/helpers/memory-state.js';
import { waitFor } from '../../../test/helpers/wait-for.js';
import { Ledger } from './budget.js';
import type { AnswerCache } from './cache.js';
import { CallLog } from './calls.js';
import { ClaimLostError } from './claim-lost.js';
import { spentBy } from './ledger-record.js';
import type { Budget, LedgerRecord, Phase } from './ledger-record.js';
import { recoverOpenCalls } from './recovery.js';
import type { Price } from './registry.js';

const LEASE_MS = 10_000;
const PRICE: Price = { perImageMicros: 100, perCallMicros: 10, currency: 'USD', billsFailures: false };
const settled = (images: number) => ({ settled: images, unknown: 0, failed: 0, retried: false, charged: true });
/** After so long each chunk that nobody uses is given back. */
const IDLE_MS = 500;

let state: MemoryState;
let clock: ManualClock;

beforeEach(() => {
  state = new MemoryState();
  clock = new ManualClock();
});

const openLedger = (price = PRICE) => new Ledger(state, 'teacher', price, { clock, leaseMs: LEASE_MS, hasPeers: true });

const shared = async () => decodeJson<LedgerRecord>((await state.get('ledger/teacher'))!.value);

/** Lets another process come first again and again, until chunks have room for 32 calls. */
async function contend(ledger: Ledger, holder: string): Promise<void> {
  const other = new Ledger(state, 'teacher', PRICE);
  let conflicts = 0;
  let isInterfering = false;
  state.beforeWrite = async (key) => {
    if (key !== 'ledger/teacher' || isInterfering || conflicts === 20) return;
    isInterfering = true;
    conflicts++;
    await other.join(`other-${conflicts}`);
    await other.bury(`other-${conflicts}`);
    isInterfering = false;
  };
  await ledger.join(holder);
  expect(conflicts).toBe(20);
  state.beforeWrite = () => undefined;
}

function requests(ledger: Ledger, holder: string, budget: Budget = {}) {
  return (callId: string, images = 5, phase: Phase = 'mixup') =>
    ledger.reserve({ callId, run: 'run', phase, unit: 'unit', holder, images, budget, dispatched: true });
}

/** Writes of the record that all share. */
function countSharedWrites(): { count: number } {
  const writes = { count: 0 };
  state.beforeWrite = (key) => void (key === 'ledger/teacher' && writes.count++);
  return writes;
}

async function givenBack(): Promise<LedgerRecord> {
  return waitFor('all chunks to be given back', async () => {
    await clock.advance(IDLE_MS);
    const record = await shared();
    return Object.keys(record.open).length === 0 && record;
  });
}

describe('chunks', () => {
  it('a process that nobody is in the way of - has none', async () => {
    const ledger = openLedger();
    await ledger.join('me');
    const writes = countSharedWrites();
    const reserve = requests(ledger, 'me');
    await reserve('1');
    await reserve('2');
    expect(writes.count).toBe(2);
    expect(Object.keys((await shared()).open)).toEqual(['1', '2']);
  });

  it('processes in each other’s way - set their calls aside without the shared record, and all can see them', async () => {
    const ledger = openLedger();
    await contend(ledger, 'me');
    const writes = countSharedWrites();
    const reserve = requests(ledger, 'me', { images: 10_000 });
    for (let call = 0; call < 10; call++) expect(await reserve(`c${call}`)).toBe(5);
    expect(writes.count).toBe(1);

    const others = new Ledger(state, 'teacher', PRICE);
    const seen = await others.read();
    expect(Object.values(seen.open).filter(({ isChunk }) => !isChunk)).toHaveLength(10);
    expect(spentBy(seen, 'run')).toMatchObject({ images: 32 * 5, openImages: 32 * 5 });

    for (let call = 0; call < 9; call++) expect(await ledger.settle(`c${call}`, settled(5))).toBe(true);
    expect(await ledger.settle('c0', settled(5))).toBe(false);
    await ledger.withdraw('c9');
    expect(writes.count).toBe(1);
    expect((await others.read()).runs['run']!.mixup).toMatchObject({ settled: 45, calls: 9, moneyMicros: 4_590 });
    const record = await givenBack();
    expect(record.runs['run']!.mixup).toMatchObject({ settled: 45, calls: 9, moneyMicros: 4_590 });
    expect(record.total).toEqual({ images: 45, moneyMicros: 4_590 });
    await ledger.close();
    expect((await shared()).holders).toEqual({});
    expect(await state.get('ledger-shares/teacher/me')).toBeUndefined();
  });

  it('a call whose chunk others were quicker to use up - takes another one, and each call keeps its part', async () => {
    const ledger = openLedger();
    await contend(ledger, 'me');
    const reserve = requests(ledger, 'me', { images: 100_000 });
    let goOn: () => void = () => undefined;
    const standstill = new Promise<void>((resolve) => (goOn = resolve));
    let isWriting = false;
    state.beforeWrite = (key) => {
      if (!key.startsWith('ledger-shares/')) return undefined;
      isWriting = true;
      return standstill;
    };
    const opener = reserve('opener');
    await waitFor('the chunk to be written', () => isWriting);
    const callIds = Array.from({ length: 32 }, (_, call) => `c${call}`);
    const others = callIds.map((callId) => reserve(callId));
    goOn();
    await Promise.all([opener, ...others]);
    const ended = await Promise.all(['opener', ...callIds].map((callId) => ledger.settle(callId, settled(5))));
    expect(ended.every(Boolean)).toBe(true);
    expect((await givenBack()).runs['run']!.mixup).toMatchObject({ settled: 165, calls: 33 });
  });

  it('a budget that ends - is spent to the last image by two processes, and never passed', async () => {
    const budget = { images: 500 };
    const ledgers = [openLedger(), openLedger()];
    await contend(ledgers[0]!, 'p0');
    await contend(ledgers[1]!, 'p1');
    let granted = 0;
    let calls = 0;
    const work = async (process: number) => {
      const ledger = ledgers[process]!;
      const reserve = requests(ledger, `p${process}`, budget);
      for (;;) {
        const callId = `p${process}.${++calls}`;
        const images = await reserve(callId, 7);
        granted += images;
        expect(spentBy(await shared(), 'run').images).toBeLessThanOrEqual(500);
        if (images > 0) await ledger.settle(callId, settled(images));
        // Others hold the rest.
        else await clock.advance(IDLE_MS);
      }
    };
    const ends = await Promise.allSettled([work(0), work(0), work(1), work(1)]);
    expect(ends.map((end) => (end as PromiseRejectedResult).reason as Error)).toMatchObject(
      ends.map(() => ({ code: 'BUDGET_EXHAUSTED' })),
    );
    expect(granted).toBe(500);
    expect((await givenBack()).runs['run']!.mixup!.settled).toBe(500);
  });

  it('money and the free tier - come out as without chunks', async () => {
    const price = { ...PRICE, freeImagesPerMonth: 12 };
    const spend = async (ledger: Ledger) => {
      const reserve = requests(ledger, 'me', { moneyMicros: 1_000_000 });
      for (const [call, failed] of [
        ['1', 0],
        ['2', 5],
        ['3', 0],
        ['4', 0],
      ] as const) {
        await reserve(call);
        await ledger.settle(call, { ...settled(5 - failed), failed });
      }
      const { runs, months, total } = await givenBack();
      return { runs, months, total };
    };
    const alone = openLedger(price);
    await alone.join('me');
    const expected = await spend(alone);
    state = new MemoryState();
    const contended = openLedger(price);
    await contend(contended, 'me');
    const writes = countSharedWrites();
    expect(await spend(contended)).toEqual(expected);
    expect(writes.count).toBe(2);
    expect(expected.runs['run']!.mixup).toMatchObject({ settled: 15, failed: 5, calls: 4, moneyMicros: 340 });
  });

  it('a process that dies - its calls are recovered, the rest of its chunk is free, and it spends nothing when it wakes', async () => {
    const frozen = openLedger();
    await contend(frozen, 'me');
    const reserve = requests(frozen, 'me', { images: 1000 });
    await reserve('sent');
    const waiting = { callId: 'waiting', run: 'run', phase: 'mixup', unit: 'unit', holder: 'me', images: 5 } as const;
    await frozen.reserve({ ...waiting, budget: { images: 1000 } });
    await reserve('done');
    await frozen.settle('done', settled(5));

    const ledger = openLedger();
    const recovered = await recoverOpenCalls({
      ledger,
      calls: new CallLog(state),
      cache: { getMany: async () => [] } as unknown as AnswerCache,
      isAbandoned: ({ holder }) => holder === 'me',
      logger: silentLogger,
    });
    expect(recovered).toEqual({ released: 1, settled: 0, unknown: 5 });
    await expect(frozen.dispatch('waiting')).rejects.toBeInstanceOf(ClaimLostError);
    await ledger.bury('me');
    const after = await shared();
    expect(after.open).toEqual({});
    expect(after.runs['run']!.mixup).toMatchObject({ settled: 5, unknown: 5 });
    expect(await state.get('ledger-shares/teacher/me')).toBeUndefined();

    await clock.advance(LEASE_MS);
    expect(frozen.isAlive('me')).toBe(false);
    expect(await frozen.settle('sent', settled(5))).toBe(false);
    await expect(frozen.dispatch('waiting')).rejects.toBeInstanceOf(ClaimLostError);
    await expect(reserve('new')).rejects.toBeInstanceOf(ClaimLostError);
    await frozen.close();
    expect((await shared()).runs['run']!.mixup).toMatchObject({ settled: 5, unknown: 5 });
  });

  it('a process that stands still between two records - finds its chunk gone', async () => {
    const frozen = openLedger();
    await contend(frozen, 'me');
    let wake: () => void = () => undefined;
    const standstill = new Promise<void>((resolve) => (wake = resolve));
    let isOwn = true;
    state.beforeWrite = (key) => (key.startsWith('ledger-shares/') && isOwn ? standstill : undefined);
    const reserving = requests(frozen, 'me', { images: 1000 })('1');
    reserving.catch(() => undefined);
    await waitFor('the chunk to be granted', async () => (await shared()).open['1.chunk-1']);
    isOwn = false;
    const ledger = openLedger();
    await ledger.read();
    await ledger.endChunk('1.chunk-1');
    wake();
    await expect(reserving).rejects.toBeInstanceOf(ClaimLostError);
    expect((await shared()).open).toEqual({});
  });

  it.each([
    ['whose calls are open', false],
    ['whose calls are settled', true],
  ])(
    'a process that comes back while others take out what it left - keeps a new chunk %s',
    async (_what, isSettled) => {
      const ledger = openLedger();
      await contend(ledger, 'me');
      const reserve = requests(ledger, 'me', { images: 1000 });
      await reserve('1');
      await ledger.settle('1', settled(5));
      await givenBack();
      // It leaves, and its empty record stays behind, which others find.
      const left = (await state.get('ledger-shares/teacher/me'))!;
      ledger.leave('me');
      await waitFor('the holder to leave', async () => {
        await clock.advance(LEASE_MS / 4);
        return !(await shared()).holders!['me'] && !(await state.get(left.key));
      });
      await state.create(left.key, left.value);
      const other = openLedger();
      const get = state.get.bind(state);
      let isBack = false;
      state.get = async (key) => {
        if (key === 'ledger-shares/teacher/me' && !isBack) {
          isBack = true;
          await ledger.join('me');
          await reserve('2');
          if (isSettled) await ledger.settle('2', settled(5));
        }
        return get(key);
      };
      await other.sweep();
      expect(isBack).toBe(true);
      if (!isSettled) expect(await ledger.settle('2', settled(5))).toBe(true);
      expect((await givenBack()).runs['run']!.mixup!.settled).toBe(10);
    },
  );

  it('a chunk that may have been given back - is spent no more, and counts once', async () => {
    const ledger = openLedger();
    await contend(ledger, 'me');
    const reserve = requests(ledger, 'me', { images: 1000 });
    await reserve('1');
    await ledger.settle('1', settled(5));
    let isAway = true;
    // Carried out, but the answer doesn't come.
    const update = state.update.bind(state);
    state.update = async (key, value, revision) => {
      const written = await update(key, value, revision);
      if (isAway && key === 'ledger/teacher') throw new UnavailableError('the store is away');
      return written;
    };
    await waitFor('the chunk to be given back', async () => {
      await clock.advance(100);
      return Object.keys((await shared()).open).length === 0;
    });
    isAway = false;
    await reserve('2');
    expect(Object.keys((await shared()).open)).not.toContain('1.chunk-1');
    await ledger.settle('2', settled(5));
    expect((await givenBack()).runs['run']!.mixup!.settled).toBe(10);
  });

  it('a chunk of which the store does not say that it was granted - holds nothing for long', async () => {
    const ledger = openLedger();
    await contend(ledger, 'me');
    const reserve = requests(ledger, 'me', { images: 160 });
    const update = state.update.bind(state);
    let isAway = true;
    // Carried out, but the answer doesn't come.
    state.update = async (key, value, revision) => {
      const written = await update(key, value, revision);
      if (isAway && key === 'ledger/teacher') throw new UnavailableError('the store is away');
      return written;
    };
    await expect(reserve('1')).rejects.toThrow('the store is away');
    isAway = false;
    expect(Object.keys((await shared()).open)).toEqual(['1.chunk-1']);
    expect((await givenBack()).runs['run']!.mixup).toBeUndefined();
    expect(await reserve('2', 160)).toBe(160);
    await ledger.close();
  });
});
