import { setMaxListeners } from 'node:events';
import {
  CancelledError,
  ManualClock,
  RandomStream,
  UnavailableError,
  decodeJson,
  encodeJson,
  silentLogger,
} from '@bbdistill/common';
import type { StateStore } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { MemoryState } from '../../../test/helpers/memory-state.js';
import type { Phase } from './ledger-record.js';
import { SLOT_BEAT_MS, SLOT_LEASE_MS, SharedLimiter } from './limiter.js';
import type { Permit } from './limiter.js';
import { parseTeacherConfig } from './registry.js';
import { CLOCK_SKEW_MS, emptySlots } from './slot-record.js';
import type { SlotRecord } from './slot-record.js';

const forever = new AbortController().signal;
setMaxListeners(0, forever);
const HOUR_MS = 3_600_000;
const limitsOf = (limits: Record<string, number>) =>
  parseTeacherConfig('t', { adapter: 'fake', limits: { imagesPerCall: 20, concurrency: 100, ...limits } }).limits;

/** A clock whose wall time is off by some milliseconds. */
function skewed(clock: ManualClock, skewMs: number) {
  return {
    nowMs: () => clock.nowMs() + skewMs,
    monotonicMs: () => clock.monotonicMs() + 1e6 * Math.abs(skewMs),
    sleep: (durationMs: number, signal?: AbortSignal) => clock.sleep(durationMs, signal),
  };
}

/** The store as a process sees it that hears and says nothing until it goes on. */
function stoppable(state: MemoryState, goesOn: () => Promise<void>): StateStore {
  return {
    get: (key) => state.get(key),
    create: (key, value) => goesOn().then(() => state.create(key, value)),
    update: (key, value, revision) => goesOn().then(() => state.update(key, value, revision)),
    delete: (key, revision) => goesOn().then(() => state.delete(key, revision)),
    list: (prefix) => state.list(prefix),
    watch: (prefix, signal) => state.watch(prefix, signal),
    async *watchKey(key, signal) {
      for await (const change of state.watchKey(key, signal)) {
        await goesOn();
        yield change;
      }
    },
    close: () => state.close(),
  };
}

class World {
  readonly clock = new ManualClock();
  readonly state = new MemoryState();
  /** What came to the teacher. */
  readonly calls: { atMs: number; images: number; who: string }[] = [];
  /** By how much everybody's wall clock has been set forward, or back where it is negative. */
  wallStepMs = 0;
  #holders = 0;
  #frozen = '';

  constructor(readonly limits: Record<string, number>) {}

  /** As by SIGSTOP: it wakes up no more and says nothing to anybody. */
  freeze(holder: string): void {
    this.#frozen = holder;
  }

  thaw(): void {
    this.#frozen = '';
  }

  /** Lets time pass in small steps: who wakes up has done what it can before others do. */
  async pass(durationMs: number): Promise<void> {
    const untilMs = this.clock.monotonicMs() + durationMs;
    do {
      for (let n = 0; n < 3; n++) await new Promise((resolve) => setImmediate(resolve));
      await this.clock.advance(Math.min(50, untilMs - this.clock.monotonicMs()));
    } while (this.clock.monotonicMs() < untilMs);
  }

  limiter({
    skewMs = 0,
    soleUser = false,
    maxOpenCalls,
  }: { skewMs?: number; soleUser?: boolean; maxOpenCalls?: number } = {}) {
    const holder = `holder-${this.#holders++}`;
    const clock = skewed(this.clock, skewMs);
    const thawed = async () => {
      while (this.#frozen === holder) await this.clock.sleep(10);
    };
    const sleep = async (durationMs: number, signal?: AbortSignal) => {
      await clock.sleep(durationMs, signal);
      await thawed();
    };
    return new SharedLimiter({
      teacher: 't',
      limits: limitsOf(this.limits),
      state: stoppable(this.state, thawed),
      clock: { ...clock, nowMs: () => clock.nowMs() + this.wallStepMs, sleep },
      holder,
      soleUser,
      ...(maxOpenCalls !== undefined && { maxOpenCalls }),
      logger: silentLogger,
    });
  }

  /** Asks on and on, `workers` calls at a time. */
  work(
    limiter: SharedLimiter,
    who: string,
    options: {
      images?: number;
      workers?: number;
      latencyMs?: () => number;
      run?: string;
      phase?: Phase;
      calls?: number;
      /** What has to be done between a call's turn and its leaving. */
      dispatchMs?: number;
      leadMs?: number;
    } = {},
  ): AbortController {
    const stop = new AbortController();
    setMaxListeners(0, stop.signal);
    const { images = 20, workers = 20, latencyMs = () => 5, run = 'run', phase = 'mixup' } = options;
    const { dispatchMs = 0, leadMs = 0 } = options;
    let left = options.calls ?? Infinity;
    const worker = async () => {
      while (!stop.signal.aborted && left-- > 0) {
        const permit = await limiter.acquire({ images, run, phase }, stop.signal, { leadMs }).catch(() => undefined);
        if (!permit) return;
        if (dispatchMs > 0) await this.clock.sleep(dispatchMs);
        for (let waitMs = permit.waitMs(); waitMs > 0; waitMs = permit.waitMs()) await this.clock.sleep(waitMs);
        if (!permit.sent()) {
          permit.release();
          continue;
        }
        this.calls.push({ atMs: this.clock.monotonicMs(), images, who });
        await this.clock.sleep(latencyMs());
        permit.release();
      }
    };
    for (let n = 0; n < workers; n++) void worker();
    return stop;
  }

  /** Two replicas that have had the time to share the limits. */
  async twoAtWork(): Promise<SharedLimiter[]> {
    const limiters = [this.limiter(), this.limiter()];
    limiters.forEach((limiter, n) => this.work(limiter, `r${n}`));
    await this.pass(3000);
    return limiters;
  }

  /** As if a replica had died right before, with these slots in hand. */
  async leaveDead(held: Record<string, number>): Promise<void> {
    const dead = { beat: 1, held, waiting: [], urgency: 0, turn: 0 };
    await this.state.create('slots/t', encodeJson({ ...emptySlots(), turns: 1, holders: { dead } }));
  }

  /** What the replicas share. */
  async record(): Promise<SlotRecord> {
    return decodeJson<SlotRecord>((await this.state.get('slots/t'))!.value);
  }

  imagesBetween(fromMs: number, toMs: number, who?: string): number {
    const counted = this.calls.filter(({ atMs, who: by }) => atMs >= fromMs && atMs < toMs && (!who || by === who));
    return counted.reduce((sum, { images }) => sum + images, 0);
  }

  /** Images in the fullest sliding window. */
  fullest(windowMs: number, of: 'images' | 'calls' = 'images'): number {
    let most = 0;
    for (const [index, { atMs }] of this.calls.entries()) {
      let sum = 0;
      for (let at = index; at >= 0 && this.calls[at]!.atMs > atMs - windowMs; at--)
        sum += of === 'calls' ? 1 : this.calls[at]!.images;
      most = Math.max(most, sum);
    }
    return most;
  }
}

describe('limiter - one replica', () => {
  it('images per second - calls are spaced, and nearly all of the limit is used', async () => {
    const world = new World({ imagesPerSecond: 200 });
    world.work(world.limiter({ soleUser: true }), 'a');
    await world.pass(20_000);
    expect(world.fullest(1000)).toBe(200);
    expect(world.fullest(90)).toBe(20);
    expect(world.imagesBetween(1000, 20_000) / 19 / 200).toBeGreaterThan(0.97);
  });

  it('a turn told ahead - makes up for what a call has to do before it leaves, and none leaves too early', async () => {
    const used = async (leadMs: number) => {
      const world = new World({ imagesPerSecond: 200 });
      world.work(world.limiter({ soleUser: true }), 'a', { dispatchMs: 20, leadMs });
      await world.pass(20_000);
      expect(world.fullest(1000)).toBe(200);
      return world.imagesBetween(1000, 20_000) / 19 / 200;
    };
    expect(await used(0)).toBeLessThan(0.985);
    expect(await used(20)).toBeGreaterThan(0.99);
  });

  it('a turn told ahead - of a slot whose last call was late waits for that as well', async () => {
    const world = new World({ imagesPerSecond: 20 });
    const limiter = world.limiter({ soleUser: true });
    // Of the first calls nothing is known: each may have been on the way until its answer came.
    world.work(limiter, 'a', { latencyMs: () => 900, leadMs: 500, workers: 2, calls: 2 });
    await world.pass(5000);
    const [first, second] = world.calls;
    expect(second!.atMs - first!.atMs).toBeGreaterThanOrEqual(1900);
  });

  it('calls per minute and per day - hold in every sliding window', async () => {
    const world = new World({ callsPerMinute: 60, callsPerDay: 100 });
    world.work(world.limiter({ soleUser: true }), 'a', { images: 1 });
    await world.pass(300_000);
    expect(world.fullest(60_000, 'calls')).toBeLessThanOrEqual(60);
    expect(world.calls.length).toBe(100);
  });

  it('less than one a second - one in a longer window', async () => {
    const world = new World({ imagesPerSecond: 0.5 });
    world.work(world.limiter({ soleUser: true }), 'a', { images: 1 });
    await world.pass(21_000);
    expect(world.calls.length).toBe(11);
    expect(world.fullest(2000)).toBe(1);
  });

  it('a small bucket - is never asked for more than it holds', async () => {
    const world = new World({ imagesPerSecond: 200, burstImages: 40 });
    world.work(world.limiter({ soleUser: true }), 'a');
    await world.pass(10_000);
    let level = 40;
    let lastMs = 0;
    for (const { atMs, images } of world.calls) {
      level = Math.min(40, level + ((atMs - lastMs) / 1000) * 200) - images;
      lastMs = atMs;
      expect(level).toBeGreaterThanOrEqual(-1e-9);
    }
    expect(world.imagesBetween(1000, 10_000) / 9 / 200).toBeGreaterThan(0.97);
  });

  it('concurrency - a call waits for a place, seeds first, then run by run', async () => {
    const world = new World({ concurrency: 1 });
    const limiter = world.limiter({ soleUser: true });
    const first = await limiter.acquire({ images: 1, run: 'a', phase: 'mixup' }, forever);
    const order: string[] = [];
    const wait = (name: string, run: string, phase: Phase) =>
      limiter.acquire({ images: 1, run, phase }, forever).then((permit: Permit) => {
        order.push(name);
        permit.release();
        permit.release();
      });
    const all = [wait('a1', 'a', 'mixup'), wait('a2', 'a', 'mixup'), wait('b1', 'b', 'cvae'), wait('s1', 'a', 'seeds')];
    await world.pass(0);
    expect(order).toEqual([]);
    expect(limiter.state()).toMatchObject({ waiting: 4, inFlight: 1, waitsFor: 'the limit open-calls' });
    first.release();
    await Promise.all(all);
    expect(order).toEqual(['s1', 'b1', 'a1', 'a2']);
  });

  it('next in line - is told once, when it has to wait for a slot and nobody is before it', async () => {
    const world = new World({ concurrency: 1 });
    const limiter = world.limiter({ soleUser: true });
    const told: string[] = [];
    const ask = (run: string) =>
      limiter.acquire({ images: 1, run, phase: 'mixup' }, forever, { onNext: () => told.push(run) });
    const first = await ask('a');
    const [second, third] = [ask('a'), ask('a2')];
    await world.pass(10_000);
    expect(told).toEqual(['a']);
    first.release();
    (await second).release();
    (await third).release();
    expect(told).toEqual(['a', 'a2']);
  });

  it('next in line - is not told while the teacher asked for a pause, nor long before its slot is ready', async () => {
    const world = new World({ imagesPerMinute: 20 });
    const limiter = world.limiter({ soleUser: true });
    const turn = { images: 20, run: 'a', phase: 'mixup' as const };
    const first = await limiter.acquire(turn, forever);
    first.sent();
    first.release();
    const toldAtMs: number[] = [];
    const onNext = () => toldAtMs.push(world.clock.monotonicMs());
    limiter.throttled(58_000, 'hold', 'Retry-After');
    const next = limiter.acquire(turn, forever, { onNext });
    await world.pass(57_000);
    expect(toldAtMs).toEqual([]);
    await world.pass(10_000);
    expect(toldAtMs).toHaveLength(1);
    expect(toldAtMs[0]).toBeGreaterThanOrEqual(58_000);
    (await next).release();
  });

  it('throttled - nobody calls before it is over, then all go slower, and recover', async () => {
    const world = new World({ imagesPerSecond: 200 });
    const limiter = world.limiter({ soleUser: true });
    world.work(limiter, 'a');
    await world.pass(2000);
    limiter.throttled(3000, 'rate', 'HTTP 429');
    await world.pass(2000);
    expect(limiter.state().rate).toBe(0.95);
    limiter.throttled(2990, 'rate', 'HTTP 429');
    await world.pass(2980);
    expect(world.imagesBetween(2001, 6990)).toBe(0);
    expect(limiter.state()).toMatchObject({ waitsFor: 'HTTP 429' });
    await world.pass(3000);
    const slow = world.imagesBetween(8000, 9000);
    expect(slow).toBeGreaterThan(60);
    expect(slow).toBeLessThanOrEqual(140);
    await world.pass(60_000);
    expect(limiter.state().rate).toBe(1);
    expect(world.imagesBetween(60_000, 69_000) / 9 / 200).toBeGreaterThan(0.97);
  });

  it('throttled - is over when the teacher said, however long it takes to tell the others', async () => {
    const world = new World({ imagesPerSecond: 200 });
    const limiter = world.limiter();
    world.work(limiter, 'a');
    await world.pass(2000);
    world.state.beforeWrite = () => world.clock.sleep(500);
    limiter.throttled(1500, 'hold', 'HTTP 429');
    await world.pass(1700);
    expect(world.imagesBetween(2001, 3500)).toBe(0);
    expect(world.imagesBetween(3500, 3700)).toBeGreaterThan(0);
  });

  it('throttled - an answer that asks for less and for a pause as well gets both', async () => {
    const world = new World({ imagesPerSecond: 200 });
    const limiter = world.limiter({ soleUser: true });
    world.work(limiter, 'a');
    await world.pass(2000);
    limiter.throttled(250, 'rate', 'HTTP 429');
    limiter.throttled(1500, 'hold', 'RateLimit says that nothing is left');
    await world.pass(100);
    expect(limiter.state().rate).toBeLessThan(1);
    expect(limiter.state().heldOffForMs).toBeGreaterThan(1000);
  });

  it('abort and queue timeout - leave the turn to others', async () => {
    const world = new World({ concurrency: 1, queueTimeoutMs: 1000 });
    const limiter = world.limiter({ soleUser: true });
    const turn = { images: 1, run: 'a', phase: 'mixup' as const };
    const first = await limiter.acquire(turn, forever);
    const stop = new AbortController();
    const aborted = limiter.acquire(turn, stop.signal);
    stop.abort();
    await expect(aborted).rejects.toBeInstanceOf(CancelledError);
    const late = limiter.acquire(turn, forever);
    late.catch(() => undefined);
    await world.pass(3000);
    await expect(late).rejects.toMatchObject({ code: 'TEACHER_QUEUE_TIMEOUT' });
    first.release();
    (await limiter.acquire(turn, forever)).release();
    await limiter.close();
    await expect(limiter.acquire(turn, forever)).rejects.toBeInstanceOf(CancelledError);
  });

  it('queue timeout - is over at its time while the teacher asked for a longer pause, and tells of that', async () => {
    const world = new World({ concurrency: 1, queueTimeoutMs: 5000 });
    const limiter = world.limiter({ soleUser: true });
    const turn = { images: 1, run: 'a', phase: 'mixup' as const };
    limiter.throttled(60_000, 'hold', 'HTTP 429');
    let failure: unknown;
    limiter.acquire(turn, forever).catch((error: unknown) => (failure = error));
    await world.pass(4900);
    expect(failure).toBeUndefined();
    const later = limiter.acquire(turn, forever);
    later.catch(() => undefined);
    await world.pass(100 + SLOT_BEAT_MS);
    expect(failure).toMatchObject({ code: 'TEACHER_QUEUE_TIMEOUT' });
    const { message, retryAfterMs } = failure as UnavailableError;
    expect(message).toMatch(/within 5000 ms: all calls are held off for another \d+ ms \(HTTP 429\)/);
    expect(retryAfterMs).toBeGreaterThanOrEqual(60_000 - 5000 - SLOT_BEAT_MS);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000 - 5000);
    // Each has its own time.
    expect(limiter.state().waiting).toBe(1);
    await limiter.close();
    await expect(later).rejects.toBeInstanceOf(CancelledError);
  });

  it('queue timeout - is over at its time also where the store was slow in a pause', async () => {
    const world = new World({ concurrency: 1, queueTimeoutMs: 5000 });
    const limiter = world.limiter({ soleUser: true });
    world.state.beforeWrite = async () => {
      world.state.beforeWrite = () => undefined;
      await world.clock.sleep(SLOT_BEAT_MS + 500);
    };
    limiter.throttled(60_000, 'hold', 'HTTP 429');
    let failure: unknown;
    limiter.acquire({ images: 1, run: 'a', phase: 'mixup' }, forever).catch((error: unknown) => (failure = error));
    await world.pass(5000 + SLOT_BEAT_MS);
    expect(failure).toMatchObject({ code: 'TEACHER_QUEUE_TIMEOUT' });
    await limiter.close();
  });

  it('wall clock set back - what was slowed down recovers as before', async () => {
    const world = new World({ imagesPerSecond: 200 });
    const limiter = world.limiter({ soleUser: true });
    world.work(limiter, 'a');
    await world.pass(2000);
    limiter.throttled(1000, 'rate', 'HTTP 429');
    await world.pass(2000);
    expect(limiter.state().rate).toBeLessThan(1);
    world.wallStepMs = -HOUR_MS;
    await world.pass(20_000);
    expect(limiter.state().rate).toBe(1);
  });

  it('idle - gives everything back, and stands still', async () => {
    const world = new World({ imagesPerSecond: 200 });
    world.work(world.limiter(), 'a', { calls: 3 });
    await world.pass(10_000);
    const { writes } = world.state;
    await world.pass(100_000);
    expect(world.state.writes).toBe(writes);
    expect(world.clock.sleeping).toBe(0);
    world.work(world.limiter(), 'b');
    await world.pass(2000);
    expect(world.imagesBetween(110_000, 111_000, 'b')).toBeGreaterThan(180);
  });

  it('store away - fails closed, and works again afterwards', async () => {
    const world = new World({ imagesPerSecond: 200 });
    const limiter = world.limiter();
    world.state.beforeWrite = () => {
      throw new UnavailableError('the store is away');
    };
    const turn = { images: 1, run: 'a', phase: 'mixup' as const };
    await expect(limiter.acquire(turn, forever)).rejects.toThrow('the store is away');
    world.state.beforeWrite = () => undefined;
    (await limiter.acquire(turn, forever)).release();
  });
});

describe('limiter - replicas', () => {
  for (const replicas of [2, 4, 8]) {
    it(`${replicas} replicas with clocks of their own - share the limit, none exceeds it, nearly all is used`, async () => {
      const world = new World({ imagesPerSecond: 200 });
      const random = new RandomStream(replicas, 'latency');
      for (let n = 0; n < replicas; n++) {
        const limiter = world.limiter({ skewMs: (n - 3) * 250 });
        world.work(limiter, `r${n}`, { latencyMs: () => random.between(2, 6), workers: 6 });
        await world.pass(37);
      }
      await world.pass(30_000);
      expect(world.fullest(1000)).toBeLessThanOrEqual(200);
      expect(world.imagesBetween(5000, 30_000) / 25 / 200).toBeGreaterThan(0.97);
      for (let n = 0; n < replicas; n++)
        expect(world.imagesBetween(5000, 30_000, `r${n}`)).toBeGreaterThan((200 * 25) / replicas / 2);
      expect(world.state.writes).toBeLessThan(replicas * 60);
    });
  }

  it('fewer slots than replicas - everybody has a turn', async () => {
    const world = new World({ callsPerSecond: 2 });
    for (let n = 0; n < 6; n++) world.work(world.limiter(), `r${n}`, { images: 1 });
    await world.pass(60_000);
    expect(world.fullest(1000, 'calls')).toBeLessThanOrEqual(2);
    expect(world.calls.length).toBeGreaterThan(100);
    for (let n = 0; n < 6; n++) expect(world.imagesBetween(0, 60_000, `r${n}`)).toBeGreaterThan(8);
  });

  it('open calls - are shared, and the lone replica has them all', async () => {
    const world = new World({ concurrency: 64 });
    const first = world.limiter();
    world.work(first, 'a', { workers: 100, latencyMs: () => 200 });
    await world.pass(2000);
    expect(first.state().inFlight).toBe(64);
    const second = world.limiter();
    world.work(second, 'b', { workers: 100, latencyMs: () => 200 });
    await world.pass(3000);
    expect(first.state().inFlight + second.state().inFlight).toBe(64);
    expect(second.state().inFlight).toBe(32);
  });

  it('open calls - who comes has slots at once that another one holds and does not need', async () => {
    const world = new World({ concurrency: 8 });
    world.work(world.limiter(), 'a', { workers: 1, images: 1, latencyMs: () => 150 });
    await world.pass(3000);
    world.work(world.limiter(), 'b', { workers: 1, images: 1, latencyMs: () => 150 });
    await world.pass(400);
    expect(world.imagesBetween(3000, 3100, 'b')).toBeGreaterThan(0);
  });

  it('open calls - each of four that come together has one at once, though the first one took all', async () => {
    const world = new World({ concurrency: 8 });
    for (const who of ['a', 'b', 'c', 'd']) {
      world.work(world.limiter(), who, { workers: 1, images: 1, latencyMs: () => 150 });
      await world.pass(10);
    }
    await world.pass(600);
    for (const who of ['a', 'b', 'c', 'd']) expect(world.imagesBetween(0, 640, who), who).toBeGreaterThanOrEqual(3);
  });

  it('a replica that has nothing more to do - hands on each slot as soon as it is ready, and the other one takes it', async () => {
    const world = new World({ imagesPerSecond: 200 });
    world.work(world.limiter(), 'a', { calls: 25 });
    world.work(world.limiter(), 'b');
    await world.pass(10_000);
    const endedAtMs = world.calls.findLast(({ who }) => who === 'a')!.atMs;
    expect(endedAtMs).toBeLessThan(8_000);
    // Half of the limit is its own. The other half comes one slot after the other, and quickens its pace at once.
    expect(world.imagesBetween(endedAtMs + 1, endedAtMs + 1000, 'b')).toBeGreaterThan(100);
    expect(world.imagesBetween(endedAtMs + 1000, endedAtMs + 2000, 'b')).toBeGreaterThan(180);
    expect(world.fullest(1000)).toBe(200);
  });

  it('a replica that dies - takes its slots with it until they have rested, then others have them', async () => {
    const world = new World({ imagesPerSecond: 200 });
    const dying = world.limiter();
    const stop = world.work(dying, 'dying', { workers: 6 });

    world.work(world.limiter(), 'living', { workers: 30 });
    await world.pass(5000);
    world.freeze('holder-0');
    stop.abort();
    const before = world.imagesBetween(4000, 5000, 'living');
    expect(before).toBeLessThanOrEqual(120);
    await world.pass(SLOT_LEASE_MS - 1000);
    expect((await world.record()).holders).toHaveProperty('holder-0');
    await world.pass(9000);
    expect((await world.record()).holders).not.toHaveProperty('holder-0');
    expect(world.fullest(1000)).toBeLessThanOrEqual(200);
    expect(world.imagesBetween(15_000, 19_000, 'living') / 4 / 200).toBeGreaterThan(0.97);
  });

  it('a replica that was frozen - sends nothing by its old slots', async () => {
    const world = new World({ imagesPerSecond: 20 });
    const frozen = world.limiter();
    const turn = { images: 20, run: 'run', phase: 'mixup' as const };
    const permit = await frozen.acquire(turn, forever);
    world.freeze('holder-0');
    await world.pass(SLOT_LEASE_MS);
    expect(permit.sent()).toBe(false);
    permit.release();
    world.thaw();
    expect((await frozen.acquire(turn, forever)).sent()).toBe(true);
  });

  it('throttled - holds everybody off', async () => {
    const world = new World({ imagesPerSecond: 200 });
    const limiters = [world.limiter({ skewMs: -900 }), world.limiter({ skewMs: 900 })];
    limiters.forEach((limiter, n) => world.work(limiter, `r${n}`));
    await world.pass(3000);
    limiters[0]!.throttled(4000, 'hold', 'HTTP 429');
    await world.pass(3990);
    expect(world.imagesBetween(3010, 6990)).toBe(0);
    await world.pass(3000);
    expect(world.imagesBetween(7000, 10_000)).toBeGreaterThan(450);
  });

  it('throttled - for longer than a lease: nobody is taken for dead, and the whole limit is used', async () => {
    const world = new World({ callsPerDay: 100 });
    for (const who of ['a', 'b']) world.work(world.limiter(), who, { images: 1, workers: 4, latencyMs: () => 400 });
    const told = world.limiter();
    await world.pass(2000);
    const before = world.calls.length;
    told.throttled(4 * SLOT_LEASE_MS, 'hold', 'HTTP 503');
    await world.pass(4 * SLOT_LEASE_MS + 30_000);
    expect((await world.record()).lapsed).toEqual([]);
    expect(before).toBeLessThan(90);
    expect(world.calls.length).toBe(100);
  });

  it('calls that are further apart than a lease - nobody is taken for dead, and nearly all of the limit is used', async () => {
    const world = new World({ callsPerMinute: 10 });
    for (const who of ['a', 'b']) {
      world.work(world.limiter(), who, { images: 1, workers: 4 });
      await world.pass(700);
    }
    await world.pass(50_000);
    expect((await world.record()).lapsed).toEqual([]);
    await world.pass(550_000);
    expect(world.calls.length).toBeGreaterThan(0.95 * 100);
    expect(world.fullest(60_000, 'calls')).toBeLessThanOrEqual(10);
  });

  it("throttled - two at the same time: the longer pause is everybody's, whoever tells of it first", async () => {
    for (const pausesMs of [
      [8000, 2000],
      [2000, 8000],
    ]) {
      const world = new World({ imagesPerSecond: 200 });
      const limiters = await world.twoAtWork();
      limiters.forEach((limiter, n) => limiter.throttled(pausesMs[n]!, 'hold', 'HTTP 429'));
      await world.pass(7990);
      expect(world.imagesBetween(3010, 10_990)).toBe(0);
      await world.pass(3000);
      expect(world.imagesBetween(11_000, 14_000)).toBeGreaterThan(450);
    }
  });

  it('throttled - a second time, when nobody remembers the first: holds everybody off again', async () => {
    const world = new World({ imagesPerSecond: 200 });
    const limiters = await world.twoAtWork();
    limiters[0]!.throttled(1000, 'hold', 'HTTP 429');
    await world.pass(7000);
    expect((await world.record()).hold).toBeUndefined();
    limiters[0]!.throttled(4000, 'hold', 'HTTP 429');
    await world.pass(3990);
    expect(world.imagesBetween(10_010, 13_990)).toBe(0);
  });

  it('throttled - while others write: what is left of an older pause does not begin anew', async () => {
    const world = new World({ imagesPerSecond: 200 });
    const limiters = await world.twoAtWork();
    limiters[0]!.throttled(6000, 'hold', 'HTTP 429');
    await world.pass(5500);
    world.state.beforeWrite = async (key) => {
      world.state.beforeWrite = () => undefined;
      const entry = (await world.state.get(key))!;
      await world.state.update(key, entry.value, entry.revision);
    };
    limiters[1]!.throttled(2000, 'hold', 'HTTP 429');
    await world.pass(1980);
    expect(world.imagesBetween(3010, 10_480)).toBe(0);
    await world.pass(2000);
    for (const who of ['r0', 'r1']) expect(world.imagesBetween(10_500, 12_480, who), who).toBeGreaterThan(0);
  });

  it('wall clock set back - slots of the dead come back when they have rested, not before', async () => {
    const world = new World({ imagesPerMinute: 20 });
    await world.leaveDead({ 'open-calls': 100, 'images-per-minute': 20 });
    world.work(world.limiter(), 'living');
    await world.pass(SLOT_LEASE_MS + 2 * SLOT_BEAT_MS);
    expect((await world.record()).lapsed).not.toEqual([]);
    world.wallStepMs = -HOUR_MS;
    await world.pass(70_000);
    expect(world.calls).toHaveLength(1);
    expect(world.calls[0]!.atMs).toBeGreaterThanOrEqual(60_000);
  });

  it('a wall clock that is a little ahead - its dates stay as they are', async () => {
    const world = new World({ imagesPerMinute: 20 });
    const skewMs = CLOCK_SKEW_MS / 2 - 10;
    await world.leaveDead({ 'open-calls': 100, 'images-per-minute': 20 });
    const ahead = world.limiter({ skewMs });
    world.work(ahead, 'ahead');
    await world.pass(SLOT_LEASE_MS);
    while ((await world.record()).lapsed.length === 0) await world.pass(50);
    ahead.throttled(5000, 'rate', 'HTTP 429');
    await world.pass(10);
    const dates = ({ lapsed, hold, brakes }: SlotRecord) => ({ lapsed, hold, brakes });
    const before = await world.record();
    expect(before).toMatchObject({ lapsed: [{}, {}], hold: { durationMs: 5000 } });
    world.work(world.limiter({ skewMs: -skewMs }), 'behind');
    await world.pass(10);
    const after = await world.record();
    expect(Object.keys(after.holders)).toHaveLength(2);
    expect(dates(after)).toEqual(dates(before));
  });

  it("wall clock set back - the teacher's next pause is everybody's, though it is shorter than the last one", async () => {
    const world = new World({ imagesPerSecond: 200 });
    const limiters = await world.twoAtWork();
    limiters[0]!.throttled(4000, 'hold', 'HTTP 429');
    await world.pass(5000);
    world.wallStepMs = -HOUR_MS;
    await world.pass(10);
    limiters[0]!.throttled(3000, 'hold', 'HTTP 429');
    await world.pass(2980);
    expect(world.imagesBetween(8020, 10_990)).toBe(0);
  });

  it('wall clock set back - a pause that is long over holds off nobody who comes later', async () => {
    const world = new World({ imagesPerSecond: 200 });
    const first = world.limiter();
    world.work(first, 'a');
    await world.pass(1000);
    first.throttled(10_000, 'hold', 'HTTP 429');
    await world.pass(11_000);
    world.wallStepMs = -HOUR_MS;
    await world.pass(30_000);
    world.work(world.limiter(), 'b');
    await world.pass(3000);
    expect(world.imagesBetween(42_000, 45_000, 'b')).toBeGreaterThan(0);
  });

  it('priorities - seeds have the limit before synthetic images of other replicas', async () => {
    const world = new World({ imagesPerSecond: 200 });
    world.work(world.limiter(), 'synthetic', { run: 'a' });
    await world.pass(3000);
    world.work(world.limiter(), 'seeds', { run: 'b', phase: 'seeds' });
    await world.pass(10_000);
    expect(world.imagesBetween(6000, 13_000, 'seeds') / 7 / 200).toBeGreaterThan(0.9);
  });

  it('fair sharing - runs get the same, however many replicas work for them', async () => {
    const world = new World({ imagesPerSecond: 400 });
    for (let n = 0; n < 3; n++) world.work(world.limiter(), 'many', { run: 'many' });
    world.work(world.limiter(), 'few', { run: 'few' });
    await world.pass(30_000);
    expect(world.imagesBetween(10_000, 30_000, 'few') / world.imagesBetween(10_000, 30_000)).toBeGreaterThan(0.4);
  });
});
