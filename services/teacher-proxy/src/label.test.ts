import { setImmediate } from 'node:timers/promises';
import { CancelledError, FileMarks, RandomStream, UnavailableError, silentLogger } from '@bbdistill/common';
import type { ImageBatch, ProcessMarks } from '@bbdistill/common';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { hastyClock } from '../../../test/helpers/hasty-clock.js';
import { MemoryState } from '../../../test/helpers/memory-state.js';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.js';
import type { TemporaryFolder } from '../../../test/helpers/temporary-folder.js';
import { waitFor } from '../../../test/helpers/wait-for.js';
import { FakeTeacher } from './adapters/fake.js';
import type { FakeTeacherOptions } from './adapters/fake.js';
import { Ledger } from './budget.js';
import { spentBy } from './ledger-record.js';
import type { LedgerRecord } from './ledger-record.js';
import { EmbeddedAnswerCache } from './cache.js';
import { BREAKER_FAILURES } from './breaker.js';
import { CallLog } from './calls.js';
import type { Claims } from './claims.js';
import { Coalescer } from './coalescer.js';
import { Labeller } from './label.js';
import type { Limiter } from './limiter.js';
import { recoverOpenCalls } from './recovery.js';
import { parseTeacherConfig } from './registry.js';
import type { LabelTask } from './session.js';
import type { QueryOutcome, Teacher } from './teacher.js';
import { UsageBook, usageLines } from './usage.js';
import type { QueryCounts } from './usage.js';

const CLASSES = 4;
const shape = { height: 2, width: 2, channels: 1 };

/** Images with these numbers in their pixels: equal numbers, equal images. */
function batch(numbers: number[]): ImageBatch {
  const pixels = Uint8Array.from(numbers.flatMap((number) => [number & 255, number >> 8, 7, 9]));
  return { count: numbers.length, shape, pixels };
}

const range = (count: number, start = 0) => Array.from({ length: count }, (_, index) => start + index);

function identity(counts: QueryCounts): void {
  const { asked, reasked, cached, coalesced, billed, failed, unresolved, settled, unknown } = counts;
  expect(asked + reasked).toBe(cached + coalesced + billed + failed + unresolved);
  expect(billed).toBe(settled + unknown);
}

let folder: TemporaryFolder;
let cache: EmbeddedAnswerCache;
let state: MemoryState;

beforeEach(async () => {
  folder = await temporaryFolder();
  cache = new EmbeddedAnswerCache(folder.path);
  state = new MemoryState();
});

afterEach(async () => {
  await cache.close();
  await folder[Symbol.asyncDispose]();
});

let holders = 0;

/** Lets so many calls through at once, first come first served; waits for nothing else. */
function openCallsOnly(concurrency: number): Limiter {
  let free = concurrency;
  const waiting: (() => void)[] = [];
  return {
    async acquire(_turn, signal, { onNext } = {}) {
      if (free > 0) free--;
      else {
        if (waiting.length === 0) onNext?.();
        await new Promise<void>((resolve, reject) => {
          waiting.push(resolve);
          signal.addEventListener('abort', () => {
            const at = waiting.indexOf(resolve);
            if (at >= 0) waiting.splice(at, 1);
            reject(new CancelledError());
          });
        });
      }
      return {
        waitMs: () => 0,
        sent: () => true,
        answered: () => undefined,
        release() {
          const next = waiting.shift();
          if (next) next();
          else free++;
        },
      };
    },
    throttled: () => undefined,
    state: () => ({ waiting: waiting.length, inFlight: 0, waitsFor: '', heldOffForMs: 0, rate: 1, openCalls: 1 }),
    async close() {},
  };
}

type Query = (fake: FakeTeacher, images: ImageBatch, signal: AbortSignal) => Promise<QueryOutcome>;

/** The fake, but for its calls. */
function asking(fake: FakeTeacher, query: Query): Teacher {
  return {
    cacheIdentity: fake.cacheIdentity,
    answer: fake.answer,
    describe: () => fake.describe(),
    canonicalRequests: (images) => fake.canonicalRequests(images),
    query: (images, signal) => query(fake, images, signal),
    close: () => fake.close(),
  };
}

interface SetUp {
  fake?: FakeTeacherOptions;
  limits?: Record<string, number>;
  price?: Record<string, number | boolean>;
  /** What is done with a call, in place of the fake's own answer. */
  query?: Query;
  marks?: ProcessMarks;
  claims?: Claims;
}

function setUp({ fake = {}, limits = {}, price = {}, query, marks, claims }: SetUp = {}) {
  const clock = hastyClock();
  const config = parseTeacherConfig('fake', {
    adapter: 'fake',
    limits: { imagesPerCall: 10, concurrency: 2, timeoutMs: 60_000, ...limits },
    price,
  });
  const teacher = new FakeTeacher({ classes: CLASSES, clock, ...fake });
  const ledger = new Ledger(state, config.name, config.price, marks && { clock, leaseMs: 600_000, marks });
  const calls = new CallLog(state);
  const usage = new UsageBook(state);
  const holder = `holder-${++holders}`;
  const labeller = new Labeller({
    config,
    teacher: query ? asking(teacher, query) : teacher,
    cache,
    ledger,
    calls,
    usage,
    limiter: openCallsOnly(config.limits.concurrency),
    coalescer: new Coalescer(),
    ...(claims && { claims }),
    clock,
    random: new RandomStream(1, 'test'),
    holder,
    logger: silentLogger,
  });
  const label = (numbers: number[], change: Partial<LabelTask> = {}, signal?: AbortSignal) =>
    labeller.label(
      { run: 'run', phase: 'mixup', budget: {}, classes: CLASSES, images: batch(numbers), ...change },
      signal ? { signal } : {},
    );
  const lines = () => usageLines(usage, ledger, 'USD');
  return { labeller, label, teacher, ledger, calls, clock, lines, config };
}

async function keysOf(iterable: AsyncIterable<{ key: string }>): Promise<string[]> {
  const keys: string[] = [];
  for await (const { key } of iterable) keys.push(key);
  return keys;
}

describe('label', () => {
  it('fresh images - each distinct one is asked once, copies share the query', async () => {
    const { label, teacher, lines } = setUp();
    const { answers, counts } = await label([...range(25), 3, 4]);
    expect(teacher.asked).toEqual({ calls: 3, images: 25 });
    expect(counts).toMatchObject({ asked: 27, settled: 25, coalesced: 2, billed: 25, cached: 0, unresolved: 0 });
    identity(counts);
    expect(Array.from(answers.answered)).toEqual(Array<number>(27).fill(1));
    expect(answers.targets.slice(3 * CLASSES, 4 * CLASSES)).toEqual(answers.targets.slice(25 * CLASSES, 26 * CLASSES));
    const [line] = await lines();
    expect(line!.counts).toEqual(counts);
  });

  it('another run - is answered from the cache and pays nothing', async () => {
    const { label, teacher, ledger } = setUp();
    const first = await label(range(20));
    const second = await label(range(20), { run: 'other', budget: { images: 0 } });
    expect(second.answers).toEqual(first.answers);
    expect(second.counts).toMatchObject({ asked: 20, cached: 20, billed: 0 });
    expect(teacher.asked.images).toBe(20);
    expect(spentBy(await ledger.read(), 'other').images).toBe(0);
  });

  it('the same work again - counts what it paid for as billed, and asks nothing', async () => {
    const { label, teacher, lines } = setUp();
    const first = await label(range(20));
    const again = await label(range(20));
    expect(again.counts).toEqual(first.counts);
    expect(teacher.asked.images).toBe(20);
    expect((await lines())[0]!.counts.asked).toBe(20);
  });

  it('an answer - is stored though the ledger does not answer: what is paid for waits for no call to come', async () => {
    let goOn: () => void = () => undefined;
    const standstill = new Promise<void>((resolve) => (goOn = resolve));
    const { label, teacher } = setUp({ limits: { imagesPerCall: 1, concurrency: 1 } });
    const put = vi.spyOn(cache, 'putMany');
    state.beforeWrite = (key) => (key.startsWith('ledger/') && teacher.asked.calls > 0 ? standstill : undefined);
    const labelled = label(range(2));
    await vi.waitFor(() => expect(put).toHaveBeenCalledOnce());
    expect(teacher.asked.calls).toBe(1);
    goOn();
    expect((await labelled).counts.settled).toBe(2);
  });

  it('the same images at the same time - cost one query', async () => {
    const { label, teacher, lines } = setUp();
    const labelled = await Promise.all([label(range(20)), label(range(20, 10)), label(range(30), { run: 'other' })]);
    expect(teacher.asked.images).toBe(30);
    for (const { counts, answers } of labelled) {
      identity(counts);
      expect(answers.answered).not.toContain(0);
    }
    const all = await lines();
    expect(all.reduce((sum, { counts }) => sum + counts.billed, 0)).toBe(30);
    all.forEach(({ counts }) => identity(counts));
  });

  it('the same work twice at the same time - is paid for once and counted once', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const stop = new AbortController();
    let isAsked = false;
    const { label, teacher, lines } = setUp({
      query: async (fake, images, signal) => {
        isAsked = true;
        await held;
        return fake.query(images, signal);
      },
    });
    const first = label(range(10), {}, stop.signal);
    await waitFor('the first to ask', () => isAsked);
    const second = label(range(10));
    await setImmediate();
    stop.abort();
    release();
    await first.catch(() => undefined);
    expect((await second).counts).toMatchObject({ asked: 10, settled: 10, billed: 10, coalesced: 0 });
    expect(teacher.asked.images).toBe(10);
    expect((await lines())[0]!.counts).toMatchObject({ asked: 10, settled: 10, coalesced: 0, reasked: 0 });
  });

  it('calls in the queue of the limit - do not leave for a teacher that swallowed all before them', async () => {
    const lost: QueryOutcome = { kind: 'lost', message: 'swallowed' };
    const enough = new AbortController();
    let sentWhileOpen = 0;
    const { label, labeller, teacher } = setUp({
      limits: { imagesPerCall: 1, concurrency: 4 },
      query: async (fake) => {
        fake.asked.calls++;
        if (labeller.breaker.state().state === 'open') sentWhileOpen++;
        if (fake.asked.calls === BREAKER_FAILURES + 8) enough.abort();
        await setImmediate();
        return lost;
      },
    });
    const tasks = range(4).map((task) => label(range(20, task * 20), { run: `run-${task}` }, enough.signal));
    await Promise.allSettled(tasks);
    expect(teacher.asked.calls).toBeGreaterThan(BREAKER_FAILURES);
    expect(sentWhileOpen).toBe(0);
  });

  it('close - waits for calls under way and keeps their answers, also of work that nobody waits for', async () => {
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (release = resolve));
    const { label, labeller, teacher } = setUp({
      limits: { concurrency: 1 },
      query: async (fake, images, signal) => {
        const outcome = await fake.query(images, signal);
        await held;
        return outcome;
      },
    });
    const labelling = label(range(30));
    labelling.catch(() => undefined);
    await vi.waitFor(() => expect(teacher.asked.calls).toBe(1));
    let isClosed = false;
    const closing = labeller.close().then(() => (isClosed = true));
    await setImmediate();
    expect(isClosed).toBe(false);
    release();
    await closing;
    await expect(labelling).rejects.toThrow('is stopping');
    await expect(label(range(30, 50))).rejects.toThrow('is stopping');
    expect(teacher.asked.images).toBe(10);
    const { counts } = await setUp().label(range(10));
    expect(counts).toMatchObject({ asked: 10, cached: 10 });
  });

  it('somebody else asks and gets no answer - the image is asked by who still wants it', async () => {
    const { label, teacher } = setUp();
    const results = await Promise.allSettled([
      label(range(10), { run: 'poor', budget: { images: 0 } }),
      label(range(10), { run: 'rich' }),
    ]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'fulfilled']);
    expect(teacher.asked.images).toBe(10);
  });

  it('budget - is spent to the last image and not one more; a larger one finishes', async () => {
    const { label, teacher, ledger, lines } = setUp();
    await expect(label(range(40), { budget: { images: 25 } })).rejects.toMatchObject({ code: 'BUDGET_EXHAUSTED' });
    expect(teacher.asked.images).toBe(25);
    expect(spentBy(await ledger.read(), 'run').images).toBe(25);
    expect((await lines())[0]!.counts).toMatchObject({ asked: 40, settled: 25, unresolved: 15 });
    const { counts } = await label(range(40), { budget: { images: 40 } });
    expect(teacher.asked.images).toBe(40);
    expect(counts).toMatchObject({ asked: 40, settled: 40, billed: 40, cached: 0, unresolved: 0 });
    expect((await lines())[0]!.counts).toEqual(counts);
  });

  it('budget - tasks of one run at the same time never pass it together', async () => {
    const { label, teacher } = setUp({ limits: { concurrency: 4, imagesPerCall: 7 } });
    const tasks = range(6).map((task) => label(range(20, task * 20), { budget: { images: 50 } }));
    const results = await Promise.allSettled(tasks);
    expect(teacher.asked.images).toBe(50);
    expect(results.filter(({ status }) => status === 'rejected').length).toBeGreaterThan(0);
  });

  it('budget - money stops the run before a call that it can not pay', async () => {
    const { label, teacher, lines } = setUp({ price: { perImage: 0.001, perCall: 0.002 }, limits: { concurrency: 1 } });
    // One call of ten costs 12 000 millionths; the rest pays for one of three.
    await expect(label(range(40), { budget: { moneyMicros: 17_500 } })).rejects.toMatchObject({
      code: 'BUDGET_EXHAUSTED',
    });
    expect(teacher.asked.images).toBe(13);
    expect((await lines())[0]!.costMicros).toBe(17_000);
  });

  it('throttled - is tried again after the wait that the teacher asked for, unpaid', async () => {
    const outcomeOf = (call: number): QueryOutcome | undefined =>
      call === 1 ? { kind: 'throttled', reason: 'rate', message: 'slow down', retryAfterMs: 7000 } : undefined;
    const { label, clock, lines } = setUp({ fake: { outcomeOf }, limits: { concurrency: 1 } });
    const { counts } = await label(range(10));
    expect(counts).toMatchObject({ asked: 10, settled: 10, retried: 1, failed: 0, unknown: 0 });
    expect(Math.max(...clock.slept)).toBe(7000);
    expect((await lines())[0]!.counts).toMatchObject({ settled: 10, retried: 1 });
  });

  it('teacher down - fails as unavailable after some tries, nothing spent', async () => {
    const outcomeOf = (): QueryOutcome => ({ kind: 'unreachable', message: 'connection refused' });
    const { label, teacher, ledger } = setUp({ fake: { outcomeOf }, limits: { concurrency: 1 } });
    await expect(label(range(10))).rejects.toMatchObject({ code: 'TEACHER_UNREACHABLE', retryable: true });
    expect(teacher.asked.calls).toBe(5);
    expect(spentBy(await ledger.read(), 'run')).toEqual({ images: 0, moneyMicros: 0, openImages: 0 });
    expect(await keysOf(state.list('calls/'))).toEqual([]);
  });

  it('a lost answer - stays spent, is asked again and counted again', async () => {
    const outcomeOf = (call: number): QueryOutcome | undefined =>
      call === 1 ? { kind: 'lost', message: 'reset' } : undefined;
    const { label, teacher, lines, calls } = setUp({ fake: { outcomeOf }, limits: { concurrency: 1 } });
    const { counts } = await label(range(20));
    expect(counts).toMatchObject({ asked: 20, settled: 20, unknown: 0 });
    identity(counts);
    expect(teacher.asked.images).toBe(30);
    const [line] = await lines();
    expect(line!.counts).toMatchObject({ asked: 20, settled: 20, unknown: 10, billed: 30, reasked: 10, unresolved: 0 });
    identity(line!.counts);
    const records = [];
    for await (const record of calls.list('fake')) records.push(record);
    expect(records).toMatchObject([{ state: 'unknown', keys: { length: 10 } }]);
  });

  it('an answer that can not be stored - is unknown in the ledger and by image', async () => {
    const { label, ledger, calls } = setUp();
    vi.spyOn(cache, 'putMany').mockRejectedValueOnce(new UnavailableError('no store'));
    await expect(label(range(5))).rejects.toThrow('no store');
    expect((await ledger.read()).runs['run']!.mixup).toMatchObject({ settled: 0, unknown: 5 });
    const records = [];
    for await (const record of calls.list('fake')) records.push(record);
    expect(records).toMatchObject([{ state: 'unknown', keys: { length: 5 } }]);
  });

  it('a lost answer whose record can not be written - is spent only once it is named, with no further work', async () => {
    const { label, ledger, calls } = setUp({ limits: { concurrency: 1 } });
    vi.spyOn(cache, 'putMany').mockRejectedValueOnce(new UnavailableError('no store'));
    const spentBefore: number[] = [];
    const markUnknown = calls.markUnknown.bind(calls);
    vi.spyOn(calls, 'markUnknown').mockImplementation(async (...args) => {
      const { open, runs } = await ledger.read();
      spentBefore.push(runs['run']?.mixup?.unknown ?? 0);
      // Until it is named it holds what it may have cost.
      expect(Object.values(open)).toMatchObject([{ images: 5, state: 'dispatched' }]);
      if (spentBefore.length < 3) throw new UnavailableError('away');
      await markUnknown(...args);
    });
    await expect(label(range(5))).rejects.toThrow('no store');
    const read = await waitFor('the call to have its end', async () => {
      const record = await ledger.read();
      return Object.keys(record.open).length === 0 && record;
    });
    expect(read.runs['run']!.mixup).toMatchObject({ unknown: 5 });
    expect(spentBefore).toEqual([0, 0, 0]);
    const unknown: string[] = [];
    for await (const record of calls.list('fake')) if (record.state === 'unknown') unknown.push(...record.keys);
    expect(unknown).toHaveLength(5);
  });

  it('a lost answer - is not asked again where the budget does not cover it', async () => {
    const outcomeOf = (call: number): QueryOutcome | undefined =>
      call === 1 ? { kind: 'lost', message: 'reset' } : undefined;
    const { label, teacher, lines } = setUp({ fake: { outcomeOf }, limits: { concurrency: 1 } });
    await expect(label(range(10), { budget: { images: 10 } })).rejects.toMatchObject({ code: 'BUDGET_EXHAUSTED' });
    expect(teacher.asked.images).toBe(10);
    expect((await lines())[0]!.counts).toMatchObject({ asked: 10, unknown: 10, billed: 10, unresolved: 0, reasked: 0 });
  });

  it('answers lost again and again - are given up, their rows unanswered', async () => {
    const outcomeOf = (_: number, images: ImageBatch): QueryOutcome | undefined =>
      images.pixels[0] === 0 ? { kind: 'lost', message: 'reset' } : undefined;
    const { label, lines } = setUp({ fake: { outcomeOf }, limits: { concurrency: 1 } });
    const { counts, answers } = await label(range(20));
    expect(counts).toMatchObject({ asked: 20, settled: 10, unknown: 10, billed: 20 });
    expect(Array.from(answers.answered.subarray(0, 10))).toEqual(Array<number>(10).fill(0));
    expect((await lines())[0]!.counts).toMatchObject({ unknown: 20, settled: 10, reasked: 10 });
  });

  it('a batch that the teacher fails on - is failed after some tries, the others are answered', async () => {
    const outcomeOf = (_: number, images: ImageBatch): QueryOutcome | undefined =>
      images.pixels[0] === 0 ? { kind: 'failed', message: 'HTTP 500' } : undefined;
    const { label, teacher, lines } = setUp({ fake: { outcomeOf } });
    const { counts, answers } = await label(range(30));
    expect(counts).toMatchObject({ asked: 30, settled: 20, failed: 10, billed: 20, retried: 2 });
    identity(counts);
    expect(teacher.asked.calls).toBe(5);
    expect(answers.answered.reduce((sum, flag) => sum + flag, 0)).toBe(20);
    identity((await lines())[0]!.counts);
  });

  it('a teacher that bills failures - has them in the bill', async () => {
    const outcomeOf = (_: number, images: ImageBatch): QueryOutcome | undefined =>
      images.pixels[0] === 0 ? { kind: 'failed', message: 'HTTP 500' } : undefined;
    const { label, lines } = setUp({ fake: { outcomeOf }, price: { perImage: 1, billsFailures: true } });
    const { counts } = await label(range(20));
    expect(counts).toMatchObject({ settled: 20, failed: 0 });
    const [line] = await lines();
    expect(line).toMatchObject({ costMicros: 40_000_000, counts: { settled: 40, reasked: 20 } });
  });

  it('a refusal - ends the work at once', async () => {
    const outcomeOf = (): QueryOutcome => ({ kind: 'refused', code: 'HTTP_401', message: 'HTTP 401' });
    const { label, teacher, ledger } = setUp({ fake: { outcomeOf }, limits: { concurrency: 1 } });
    await expect(label(range(40))).rejects.toMatchObject({ code: 'TEACHER_REFUSED', retryable: false });
    expect(teacher.asked.calls).toBe(1);
    expect(spentBy(await ledger.read(), 'run').images).toBe(0);
  });

  it('answers of a wrong length - end the work at the first call, and are read for free once the settings are mended', async () => {
    const { label, teacher } = setUp({ limits: { concurrency: 1 } });
    await expect(label(range(40), { classes: 10 })).rejects.toMatchObject({ code: 'TEACHER_ANSWER_LENGTH' });
    expect(teacher.asked.images).toBe(10);
    await label(range(40));
    expect(teacher.asked.images).toBe(40);
  });

  it('answers of a wrong length again - cost nothing, and one call only on the word of whoever pays', async () => {
    const { label, teacher } = setUp({ limits: { concurrency: 1 } });
    await expect(label(range(40), { classes: 10 })).rejects.toThrow('answers 4 values an image');
    expect(teacher.asked.images).toBe(10);
    await expect(label(range(40), { classes: 10 })).rejects.toThrow(/answers 4 values an image.*resume --reask/);
    expect(teacher.asked.images).toBe(10);
    const again = label(range(40), { classes: 10, reask: true });
    await expect(again).rejects.toThrow('answers 4 values an image');
    expect(teacher.asked.images).toBe(20);
  });

  it('NaN for one image - leaves its row unanswered and out of the cache', async () => {
    const query: Query = async (fake, images, signal) => {
      const outcome = await fake.query(images, signal);
      if (outcome.kind === 'answered' && fake.asked.calls === 1) {
        outcome.answers[0] = { ok: true, raw: new Float32Array(CLASSES).fill(Number.NaN) };
      }
      return outcome;
    };
    const { label, teacher, lines } = setUp({ query, limits: { concurrency: 1 } });
    const { counts, answers } = await label(range(20));
    expect(counts).toMatchObject({ asked: 20, settled: 20, billed: 20 });
    expect(Array.from(answers.answered)).toEqual([0, ...Array<number>(19).fill(1)]);
    expect(Array.from(answers.targets.subarray(0, CLASSES))).toEqual([0, 0, 0, 0]);
    await label(range(20));
    expect(teacher.asked.images).toBe(21);
    identity((await lines())[0]!.counts);
  });

  it('only useless answers - end the work before all is paid for', async () => {
    const answers = range(10).map(() => ({ ok: true as const, raw: Float32Array.of(9, 9, 9, 9) }));
    const outcomeOf = (): QueryOutcome => ({ kind: 'answered', answers: [...answers] });
    const { label, teacher } = setUp({ fake: { outcomeOf }, limits: { concurrency: 1 } });
    const labelling = label(range(100));
    await expect(labelling).rejects.toMatchObject({ code: 'TEACHER_ANSWERS_UNUSABLE' });
    await expect(labelling).rejects.toThrow('sum to 36 instead of 1');
    expect(teacher.asked.images).toBe(10);
  });

  it('useless answers in the cache - are asked again on the word of whoever pays, and read again for free after', async () => {
    let mended = false;
    const outcomeOf = (_call: number, images: ImageBatch): QueryOutcome => ({
      kind: 'answered',
      answers: Array.from({ length: images.count }, () => ({
        ok: true as const,
        raw: mended ? Float32Array.of(1, 0, 0, 0) : Float32Array.of(9, 9, 9, 9),
      })),
    });
    const { label, teacher, lines } = setUp({ fake: { outcomeOf }, limits: { concurrency: 1 } });
    await expect(label(range(100))).rejects.toMatchObject({ code: 'TEACHER_ANSWERS_UNUSABLE' });
    const spoilt = teacher.asked.images;
    mended = true;
    await expect(label(range(100))).rejects.toThrow(/sum to 36 instead of 1.*resume --reask/);
    expect(teacher.asked.images).toBe(spoilt);
    const { answers } = await label(range(100), { reask: true });
    expect(Array.from(answers.answered)).toEqual(Array<number>(100).fill(1));
    expect(teacher.asked.images).toBe(100 + spoilt);
    await label(range(100));
    expect(teacher.asked.images).toBe(100 + spoilt);
    const [line] = await lines();
    expect(line!.counts).toMatchObject({ asked: 100, billed: 100 + spoilt, reasked: spoilt });
    identity(line!.counts);
  });

  it('abort - settles the calls under way and starts no other', async () => {
    let answer: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (answer = resolve));
    const query: Query = async (fake, images, signal) => {
      const outcome = await fake.query(images, signal);
      await held;
      return outcome;
    };
    const { label, teacher, ledger } = setUp({ query });
    const stop = new AbortController();
    const labelling = label(range(100), {}, stop.signal);
    labelling.catch(() => undefined);
    await waitFor('two calls under way', () => teacher.asked.calls === 2);
    stop.abort();
    answer();
    await expect(labelling).rejects.toMatchObject({ kind: 'cancelled' });
    expect(teacher.asked.images).toBe(20);
    expect(spentBy(await ledger.read(), 'run')).toMatchObject({ images: 20, openImages: 0 });
  });

  it('abort - a call that is about to leave does not, and costs nothing', async () => {
    const { label, teacher, ledger } = setUp({ limits: { concurrency: 1 } });
    const stop = new AbortController();
    let isRecorded = false;
    state.beforeWrite = (key) => {
      isRecorded ||= key.startsWith('calls/');
      // The next thing in the ledger is that the call leaves.
      if (key === 'ledger/fake' && isRecorded) stop.abort();
    };
    await expect(label(range(10), {}, stop.signal)).rejects.toMatchObject({ kind: 'cancelled' });
    expect(teacher.asked.images).toBe(0);
    expect(spentBy(await ledger.read(), 'run')).toMatchObject({ images: 0, openImages: 0 });
    expect(await keysOf(state.list('calls/'))).toEqual([]);
  });

  it('claims that can not be given back - are given back later, and new ones are made under another name', async () => {
    const taken: string[] = [];
    const released: string[] = [];
    let failures = 2;
    const claims: Pick<Claims, 'take' | 'release'> = {
      async take(holder, keys) {
        taken.push(holder);
        return keys.map(() => true);
      },
      async release(holder) {
        if (failures-- > 0) throw new UnavailableError('the store is away');
        released.push(holder);
      },
    };
    const { label, labeller } = setUp({ claims: claims as Claims });
    await label(range(5));
    const [first] = taken;
    await waitFor('the claims to be given back', () => released.length > 0);
    expect(released).toEqual([first]);
    await label(range(5, 10));
    expect(taken[1]).toBe(`${first}.g1`);
    expect(released).toEqual(taken);
    await labeller.close();
  });

  it('a damaged cache entry - is asked again', async () => {
    const { label, labeller, teacher } = setUp();
    const before = await label(range(10));
    const [key] = [...labeller.distinctKeys(batch([0])).values()];
    const get = cache.getMany.bind(cache);
    let damaged = true;
    cache.getMany = async (keys) =>
      (await get(keys)).map((found, index) => (damaged && keys[index]!.equals(key!) ? undefined : found));
    const again = await label(range(10), { run: 'other' });
    damaged = false;
    expect(teacher.asked.images).toBe(11);
    expect(again.answers).toEqual(before.answers);
    expect(again.counts).toMatchObject({ cached: 9, settled: 1 });
  });

  it('a store that can not be reached - keeps the teacher from being asked', async () => {
    const { label, teacher } = setUp();
    state.beforeWrite = (key) => {
      if (key.startsWith('ledger/')) throw new UnavailableError('the store is away');
    };
    await expect(label(range(10))).rejects.toThrow('the store is away');
    expect(teacher.asked.calls).toBe(0);
  });

  it('dispatch - is in the ledger before the teacher hears of the call', async () => {
    const seen: string[] = [];
    const readState = async () => {
      const entry = await state.get('ledger/fake');
      const { open } = JSON.parse(new TextDecoder().decode(entry!.value)) as {
        open: Record<string, { state: string }>;
      };
      seen.push(...Object.values(open).map((call) => call.state));
      seen.push(...(await keysOf(state.list('calls/'))).map(() => 'recorded'));
    };
    const query: Query = async (fake, images, signal) => {
      await readState();
      return fake.query(images, signal);
    };
    await setUp({ query }).label(range(10));
    expect(seen).toEqual(['dispatched', 'recorded']);
  });

  it('a call that is next - reserves while it waits where it can be marked as dispatched when it leaves', async () => {
    await using folder = await temporaryFolder();
    const marks = FileMarks.open(folder.path, 'boot')!;
    const seen: string[][] = [];
    const statesWhen = async (isWanted: (states: string[]) => boolean) =>
      waitFor('the states of open calls', async () => {
        const entry = await state.get('ledger/fake');
        const { open } = JSON.parse(new TextDecoder().decode(entry!.value)) as LedgerRecord;
        const states = Object.entries(open)
          .map(([callId, call]) => `${call.state}${marks.has(callId) ? ', marked' : ''}`)
          .sort();
        return isWanted(states) && states;
      });
    const query: Query = async (fake, images, signal) => {
      const isLast = seen.length === 1;
      // The first call ends once the second one has reserved, the second one when nothing but itself is open.
      seen.push(await statesWhen((states) => states.length === (isLast ? 1 : 2)));
      return fake.query(images, signal);
    };
    const { label, ledger } = setUp({ query, marks, limits: { concurrency: 1 } });
    await label(range(20));
    expect(seen).toEqual([['dispatched', 'reserved'], ['reserved, marked']]);
    expect(spentBy(await ledger.read(), 'run')).toMatchObject({ images: 20, openImages: 0 });
    marks.close();
  });

  it('answers that are not stored yet - are at most those of one call more than may be open', async () => {
    let store: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (store = resolve));
    const { label, teacher } = setUp({ limits: { imagesPerCall: 1, concurrency: 2 } });
    const putMany = cache.putMany.bind(cache);
    const put = vi.spyOn(cache, 'putMany').mockImplementation(async (entries) => {
      await held;
      return putMany(entries);
    });
    const labelled = label(range(20));
    await vi.waitFor(() => expect(put).toHaveBeenCalledTimes(3));
    for (let turn = 0; turn < 100; turn++) await setImmediate();
    expect(teacher.asked.calls).toBe(3);
    store();
    expect((await labelled).counts.settled).toBe(20);
  });

  it('look-up - answers from the cache alone', async () => {
    const { label, labeller, teacher } = setUp();
    const { answers } = await label(range(10));
    const found = await labeller.lookUp(batch(range(12)), CLASSES);
    expect(Array.from(found.answers.answered)).toEqual([...Array<number>(10).fill(1), 0, 0]);
    expect(found.answers.targets.subarray(0, 10 * CLASSES)).toEqual(answers.targets);
    expect(found.counts).toMatchObject({ asked: 12, cached: 10, unresolved: 2, billed: 0 });
    expect(teacher.asked.images).toBe(10);
  });
});

describe('recovery', () => {
  it.each([
    ['takes it back', (ledger: Ledger) => ledger.withdraw('a'), 0],
    [
      'has its answers',
      (ledger: Ledger) => ledger.settle('a', { settled: 1, unknown: 0, failed: 0, retried: false, charged: true }),
      1,
    ],
  ])('a call whose own process %s while another one recovers it - is no loss', async (_, end, billed) => {
    const { ledger, calls, labeller } = setUp();
    const [hex] = [...labeller.distinctKeys(batch([1])).entries()][0]!;
    await ledger.reserve({ callId: 'a', run: 'run', phase: 'mixup', unit: 'u', holder: 'me', images: 1, budget: {} });
    await calls.write({ teacher: 'fake', unit: 'u', callId: 'a', state: 'asked', keys: [hex] });
    await ledger.dispatch('a');
    const replace = calls.replaceByUnknown.bind(calls);
    vi.spyOn(calls, 'replaceByUnknown').mockImplementationOnce(async (...args) => {
      const noted = await replace(...args);
      // What it could not write while the store was away is made up for by its next write.
      await end(ledger);
      return noted;
    });
    const options = { ledger, calls, cache, isAbandoned: () => true, logger: silentLogger };
    expect(await recoverOpenCalls(options)).toEqual({ released: 0, settled: 0, unknown: 0 });
    expect(spentBy(await ledger.read(), 'run').images).toBe(billed);
    expect(await keysOf(state.list('calls/'))).toEqual([]);
  });

  it('two processes that recover a call, the second one when its answers came after all - the first one is right', async () => {
    const { ledger, calls, labeller } = setUp();
    const [hex, key] = [...labeller.distinctKeys(batch([1])).entries()][0]!;
    await ledger.reserve({ callId: 'a', run: 'run', phase: 'mixup', unit: 'u', holder: 'dead', images: 1, budget: {} });
    await calls.write({ teacher: 'fake', unit: 'u', callId: 'a', state: 'asked', keys: [hex] });
    await ledger.dispatch('a');
    const seenBySecond = await ledger.read();
    const options = { ledger, calls, cache, isAbandoned: () => true, logger: silentLogger };
    await recoverOpenCalls(options);
    await cache.putMany([{ key, answer: { raw: Float32Array.of(1, 0, 0, 0), unit: 'u', callId: 'a' } }]);
    vi.spyOn(ledger, 'read').mockResolvedValueOnce(seenBySecond);
    const second = await recoverOpenCalls(options);
    expect(second).toEqual({ released: 0, settled: 0, unknown: 0 });
    expect((await ledger.read()).runs['run']!.mixup).toMatchObject({ settled: 0, unknown: 1 });
    expect(await keysOf(state.list('calls/'))).toEqual(['calls/fake/u/a']);
  });

  it.each([
    ['before its record is changed', 'getMany'],
    ['before it is settled', 'replaceByUnknown'],
  ] as const)(
    'a process that comes back with the answer while others recover its call, %s - has the last word',
    async (_when, step) => {
      let answer: () => void = () => undefined;
      const held = new Promise<void>((resolve) => (answer = resolve));
      const query: Query = (fake, images, signal) => held.then(() => fake.query(images, signal));
      const { ledger, calls, label } = setUp({ query });
      const labelled = label([1]);
      const isSent = async () =>
        expect(Object.values((await ledger.read()).open)).toEqual([expect.objectContaining({ state: 'dispatched' })]);
      await vi.waitFor(isSent);
      const comeBack = () => {
        answer();
        return labelled;
      };
      const getMany = cache.getMany.bind(cache);
      const replaceByUnknown = calls.replaceByUnknown.bind(calls);
      if (step === 'getMany') {
        vi.spyOn(cache, 'getMany').mockImplementationOnce(async (keys) => {
          const answers = await getMany(keys);
          await comeBack();
          return answers;
        });
      } else {
        vi.spyOn(calls, 'replaceByUnknown').mockImplementationOnce(async (...args) => {
          const isReplaced = await replaceByUnknown(...args);
          await comeBack();
          return isReplaced;
        });
      }
      const options = { ledger, calls, cache, isAbandoned: () => true, logger: silentLogger };
      expect(await recoverOpenCalls(options)).toEqual({ released: 0, settled: 0, unknown: 0 });
      expect((await labelled).counts).toMatchObject({ settled: 1, unknown: 0 });
      expect((await ledger.read()).runs['run']!.mixup).toMatchObject({ settled: 1, unknown: 0 });
      expect(await keysOf(state.list('calls/'))).toEqual([]);
    },
  );

  it('reserved calls that are marked as sent - are spent, the others are given back', async () => {
    await using folder = await temporaryFolder();
    // A folder's first marks: whatever was in hand before isn't known.
    FileMarks.open(folder.path, 'boot')!.close();
    const marks = FileMarks.open(folder.path, 'boot')!;
    const { calls, clock, config } = setUp();
    const ledger = new Ledger(state, config.name, config.price, { clock, leaseMs: 60_000, marks });
    for (const callId of ['sent', 'waiting']) {
      await ledger.reserve({ callId, run: 'run', phase: 'mixup', unit: 'u', holder: 'dead', images: 10, budget: {} });
    }
    await ledger.dispatch('sent');
    const recovered = await recoverOpenCalls({ ledger, calls, cache, isAbandoned: () => true, logger: silentLogger });
    expect(recovered).toEqual({ released: 1, settled: 0, unknown: 10 });
    expect(spentBy(await ledger.read(), 'run')).toMatchObject({ images: 10, openImages: 0 });
    expect(marks.has('sent')).toBe(false);
    marks.close();
  });

  it('reserved calls are given back; of dispatched ones, stored answers count and the rest is unknown', async () => {
    const { label, ledger, calls, labeller, teacher, lines } = setUp();
    const keys = [...labeller.distinctKeys(batch(range(20))).entries()];
    const hexes = keys.map(([hex]) => hex);
    const open = (callId: string) =>
      ledger.reserve({ callId, run: 'run', phase: 'mixup', unit: 'u', holder: 'dead', images: 10, budget: {} });
    await open('a');
    await open('b');
    await calls.write({ teacher: 'fake', unit: 'u', callId: 'b', state: 'asked', keys: hexes.slice(0, 10) });
    await ledger.dispatch('b');
    const raw = Float32Array.of(1, 0, 0, 0);
    await cache.putMany([
      ...keys.slice(0, 4).map(([, key]) => ({ key, answer: { raw, unit: 'u', callId: 'b' } })),
      // Of another call: it doesn't tell that this one was answered.
      { key: keys[4]![1], answer: { raw, unit: 'v', callId: 'z' } },
    ]);
    await calls.write({ teacher: 'fake', unit: 'u', callId: 'settled', state: 'asked', keys: [] });

    const options = { ledger, calls, cache, logger: silentLogger };
    expect(await recoverOpenCalls({ ...options, isAbandoned: () => false })).toEqual({
      released: 0,
      settled: 0,
      unknown: 0,
    });
    const recovered = await recoverOpenCalls({ ...options, isAbandoned: ({ holder }) => holder === 'dead' });
    expect(recovered).toEqual({ released: 1, settled: 4, unknown: 6 });
    expect(spentBy(await ledger.read(), 'run')).toMatchObject({ images: 10, openImages: 0 });
    expect(await keysOf(state.list('calls/'))).toEqual(['calls/fake/u/b']);
    expect(await recoverOpenCalls({ ...options, isAbandoned: () => true })).toEqual({
      released: 0,
      settled: 0,
      unknown: 0,
    });

    await label(range(10));
    expect(teacher.asked.images).toBe(5);
    identity((await lines())[0]!.counts);
  });
});
