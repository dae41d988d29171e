import { createConnection } from 'node:net';
import {
  JobClient,
  MAX_IMAGES_PER_SHARD,
  connect,
  decodeAnswers,
  encodeImages,
  openEmbeddedStores,
  silentLogger,
  systemClock,
} from '@bbdistill/common';
import type { RequestOf, ServiceClient, Stores } from '@bbdistill/common';
import { parseTeacherConfig, startTeacherProxy } from '@bbdistill/teacher-proxy';
import type { RunningTeacherProxy } from '@bbdistill/teacher-proxy';
import { describe, expect, it } from 'vitest';
import { CLASSES, referenceAnswer } from '../fixtures/teachers/reference-teacher.mjs';
import { startMeteredTeacher } from '../helpers/metered-teacher.js';
import type { Behaviour, MeteredTeacher } from '../helpers/metered-teacher.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { waitFor } from '../helpers/wait-for.js';

const SERVICE = 'bbdistill.v1.TeacherService';
const SHAPE = { height: 8, width: 8, channels: 1 };
type LabelImages = RequestOf<typeof SERVICE, 'Label'>;

interface Running extends AsyncDisposable {
  metered: MeteredTeacher;
  client: ServiceClient<typeof SERVICE>;
  stores: Stores;
  proxy: RunningTeacherProxy;
  options: Omit<Parameters<typeof startTeacherProxy>[0], 'teachers'>;
}

async function start(behaviour: Behaviour = {}, declared: object = {}): Promise<Running> {
  const folder = await temporaryFolder();
  const metered = await startMeteredTeacher(behaviour);
  const stores = await openEmbeddedStores({ folder: folder.path, clock: systemClock });
  const teacher = {
    adapter: 'open-inference-http',
    url: metered.url,
    model: 'reference',
    limits: { imagesPerCall: 20, concurrency: 4 },
    price: { perImage: 0.0015 },
    ...declared,
  };
  const options = { stores, stateFolder: folder.path, address: '127.0.0.1:0', logger: silentLogger };
  const proxy = await startTeacherProxy({ ...options, teachers: [parseTeacherConfig('metered', teacher)] });
  const client = connect(SERVICE, proxy.address);
  return {
    metered,
    client,
    stores,
    proxy,
    options,
    async [Symbol.asyncDispose]() {
      client.close();
      await proxy.stop();
      await stores.close();
      await metered[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Whether nobody listens there any more. */
function isRefused(address: string): Promise<boolean> {
  const { hostname, port } = new URL(`http://${address}`);
  return new Promise((resolve) => {
    const socket = createConnection({ host: hostname, port: Number(port) });
    socket.on('connect', () => (socket.destroy(), resolve(false)));
    socket.on('error', () => resolve(true));
  });
}

/** Image n of the tests; no two are alike. */
function pixelsOf(start: number, count: number): Buffer {
  const pixels = Buffer.alloc(count * 64);
  for (let image = 0; image < count; image++) {
    pixels.writeUInt32LE(start + image, image * 64);
    pixels.fill((start + image) % 251, image * 64 + 4, (image + 1) * 64);
  }
  return pixels;
}

async function shardOf({ stores }: Running, start: number, count: number) {
  const blob = await stores.blobs.put(encodeImages({ count, shape: SHAPE, pixels: pixelsOf(start, count) }));
  return { blob, images: count, shape: SHAPE };
}

async function submit(running: Running, start: number, count: number, change: object = {}) {
  const images = await shardOf(running, start, count);
  const request = {
    runId: 'run',
    teacher: 'metered',
    phase: 'PHASE_SEEDS',
    images,
    classes: CLASSES,
    ...change,
  } as const;
  return running.client.unary('SubmitLabel', request);
}

async function ended(running: Running, id: string) {
  for await (const job of running.client.serverStream('WatchJob', { id })) if (job.endedAtMs > 0) return job;
  throw new Error(`the stream of job ${id} ended before the job`);
}

const header = { runId: 'run', teacher: 'metered', phase: 'PHASE_MIXUP', classes: CLASSES, shape: SHAPE } as const;

async function collect(running: Running, requests: AsyncIterable<LabelImages>) {
  const responses = [];
  for await (const response of running.client.bidi('Label', requests)) responses.push(response);
  return responses;
}

async function* messages(count: number, images: number, change: object = {}): AsyncIterable<LabelImages> {
  for (let n = 0; n < count; n++) {
    yield { ...(n === 0 && { ...header, ...change }), pixels: pixelsOf(n * images, images) };
  }
}

describe('teacher service - queued shards', () => {
  it('SubmitLabel - the answers of a shard come back as a blob, counts and cost in the ledger', async () => {
    await using running = await start();
    const job = await ended(running, (await submit(running, 0, 50)).id);
    expect(job).toMatchObject({ state: 'JOB_STATE_SUCCEEDED', kind: 'label' });
    const result = JSON.parse(job.resultJson) as { answers: { blob: { sha256: string } }; counts: object };
    expect(result.counts).toMatchObject({ asked: 50, settled: 50, billed: 50, cached: 0, unknown: 0 });
    const answers = decodeAnswers(await running.stores.blobs.get(result.answers.blob.sha256));
    const expected = referenceAnswer(Float32Array.from(pixelsOf(49, 1), (value) => value / 255));
    Array.from(answers.targets.subarray(49 * CLASSES)).forEach((value, index) =>
      expect(value).toBeCloseTo(expected[index]!, 5),
    );
    const { lines } = await running.client.unary('Usage', { teacher: 'metered', runId: 'run' });
    expect(lines).toMatchObject([{ phase: 'PHASE_SEEDS', costMicros: 75_000, currency: 'USD', counts: { asked: 50 } }]);
  });

  it('SubmitLabel - the same request is the same job, another run pays nothing', async () => {
    await using running = await start();
    const first = await submit(running, 0, 30);
    await ended(running, first.id);
    expect((await submit(running, 0, 30)).id).toBe(first.id);
    const other = await ended(running, (await submit(running, 0, 30, { runId: 'other' })).id);
    expect(JSON.parse(other.resultJson)).toMatchObject({ counts: { asked: 30, cached: 30, billed: 0 } });
    expect((await running.metered.meter()).images).toBe(30);
  });

  it('CancelJob - no call starts afterwards, those under way are settled', async () => {
    await using running = await start({ hold: true });
    const { id } = await submit(running, 0, 400);
    await waitFor('calls under way', async () => (await running.metered.meter()).open === 4);
    await running.client.unary('CancelJob', { id });
    await running.metered.control({ hold: false });
    expect(await ended(running, id)).toMatchObject({ state: 'JOB_STATE_CANCELLED' });
    const { lines } = await running.client.unary('Usage', { teacher: 'metered' });
    expect(lines[0]!.counts).toMatchObject({ asked: 400, settled: 80, unresolved: 320 });
    expect((await running.metered.meter()).images).toBe(80);
  });

  it('budget - ends the job with BUDGET_EXHAUSTED, the answers are kept', async () => {
    await using running = await start();
    const poor = await ended(running, (await submit(running, 0, 100, { budget: { images: 70 } })).id);
    expect(poor).toMatchObject({ state: 'JOB_STATE_FAILED', failure: { code: 'BUDGET_EXHAUSTED', retryable: false } });
    expect((await running.metered.meter()).images).toBe(70);
    const rich = await ended(running, (await submit(running, 0, 100, { budget: { images: 100 } })).id);
    expect(JSON.parse(rich.resultJson)).toMatchObject({ counts: { asked: 100, settled: 100, cached: 0 } });
    expect((await running.metered.meter()).images).toBe(100);
  });

  it('teacher down at the start - fails as TEACHER_UNREACHABLE, and works once it is up', async () => {
    await using running = await start();
    const { port } = running.metered;
    await running.metered[Symbol.asyncDispose]();
    expect(await running.client.unary('DescribeTeacher', { teacher: 'metered' })).toMatchObject({ ready: false });
    const { id } = await submit(running, 0, 20);
    expect(await ended(running, id)).toMatchObject({
      state: 'JOB_STATE_FAILED',
      failure: { code: 'TEACHER_UNREACHABLE', retryable: true },
    });
    await using _again = await startMeteredTeacher({}, port);
    await submit(running, 0, 20);
    expect(await ended(running, id)).toMatchObject({ state: 'JOB_STATE_SUCCEEDED' });
  });

  it.each([
    ['short', 'TEACHER_ANSWER_LENGTH', 'answers 3 values an image, but the run has 4 classes'],
    ['unnormalised', 'TEACHER_ANSWERS_UNUSABLE', 'sum to 3 instead of 1'],
  ] as const)('a teacher whose answers are %s - fails the job before much is paid', async (mode, code, message) => {
    await using running = await start({ mode });
    const { failure } = await ended(running, (await submit(running, 0, 1000)).id);
    expect(failure).toMatchObject({ code, retryable: false });
    expect(failure!.message).toContain(message);
    expect((await running.metered.meter()).images).toBeLessThanOrEqual(4 * 20);
  });

  it.each([
    ['nan', 95],
    ['negative', 95],
    ['slightly-unnormalised', 100],
  ] as const)('a teacher with %s answers - leaves only the spoilt images unanswered', async (mode, answered) => {
    await using running = await start({ mode });
    const job = await ended(running, (await submit(running, 0, 100)).id);
    expect(JSON.parse(job.resultJson)).toMatchObject({
      answers: { images: 100, unanswered: 100 - answered },
      counts: { asked: 100, settled: 100 },
    });
  });

  it.each([
    ['no run', { runId: '' }, 'runId'],
    ['no phase', { phase: 'PHASE_UNSPECIFIED' }, 'phase'],
    ['one class', { classes: 1 }, 'classes is 1'],
    ['no images', { images: null }, 'images is missing'],
    ['a negative budget', { budget: { images: -1 } }, 'budget.images is -1'],
  ])('SubmitLabel - %s is refused', async (_, change, message) => {
    await using running = await start();
    await expect(submit(running, 0, 2, change)).rejects.toMatchObject({ kind: 'invalid-argument' });
    await expect(submit(running, 0, 2, change)).rejects.toThrow(message);
  });

  it('SubmitLabel - an unknown teacher is not found', async () => {
    await using running = await start();
    await expect(submit(running, 0, 2, { teacher: 'metred' })).rejects.toMatchObject({ code: 'TEACHER_NOT_FOUND' });
  });
});

describe('teacher service - questions', () => {
  it('DescribeTeacher, ListTeachers - say what is known without asking', async () => {
    await using running = await start();
    expect(await running.client.unary('ListTeachers', {})).toEqual({ names: ['metered'] });
    expect(await running.client.unary('DescribeTeacher', { teacher: 'metered' })).toMatchObject({
      name: 'metered',
      ready: true,
      classes: CLASSES,
      inputShape: SHAPE,
      answerKind: 'probabilities',
      imagesPerCall: 20,
      pricePerImageMicros: 1500,
    });
    expect((await running.metered.meter()).images).toBe(0);
  });

  it("DescribeTeacher - counts a call's bytes for the images that are meant, and what the teacher's budget leaves", async () => {
    const limits = { imagesPerCall: 20, bytesPerCall: 10 * 8 * 8 * 4 };
    await using running = await start({}, { limits, budget: { images: 100, moneyPerMonth: 0.09 } });
    const describe = (shape?: typeof SHAPE) =>
      running.client.unary('DescribeTeacher', { teacher: 'metered', ...(shape && { shape }) });
    expect(await describe()).toMatchObject({ imagesPerCall: 20, imagesLeft: 60, moneyLeftMicros: 90_000 });
    expect((await describe(SHAPE)).imagesPerCall).toBe(10);
    await ended(running, (await submit(running, 0, 50)).id);
    expect(await describe()).toMatchObject({ imagesLeft: 10, moneyLeftMicros: 15_000 });
    await expect(describe({ height: 1e5, width: 1e5, channels: 3 })).rejects.toMatchObject({
      kind: 'invalid-argument',
    });
  });

  it('CountCached, LookUp - read the cache and spend nothing', async () => {
    await using running = await start();
    await ended(running, (await submit(running, 0, 30)).id);
    const shards = [await shardOf(running, 0, 20), await shardOf(running, 10, 40)];
    expect(await running.client.unary('CountCached', { teacher: 'metered', images: shards })).toEqual({
      distinct: 50,
      cached: 30,
    });
    const found = await running.client.unary('LookUp', { teacher: 'metered', images: shards[1]!, classes: CLASSES });
    expect(found).toMatchObject({ answers: { images: 40, unanswered: 20 }, counts: { cached: 20, unresolved: 20 } });
    expect((await running.metered.meter()).images).toBe(30);
  });
});

describe('teacher service - Label stream', () => {
  it('answers - come in the order sent, copies and repetitions unpaid', async () => {
    await using running = await start();
    const responses = await collect(running, messages(5, 30));
    expect(responses.map(({ counts }) => counts?.settled)).toEqual([30, 30, 30, 30, 30]);
    responses.forEach(({ targets, answered }, n) => {
      expect(answered).toEqual(Array<boolean>(30).fill(true));
      const expected = referenceAnswer(Float32Array.from(pixelsOf(n * 30, 1), (value) => value / 255));
      expect(targets[0]).toBeCloseTo(expected[0]!, 5);
    });
    await collect(running, messages(5, 30, { runId: 'again' }));
    expect((await running.metered.meter()).images).toBe(150);
  });

  it('back-pressure - a slow teacher holds back the sender', async () => {
    await using running = await start({ hold: true }, { limits: { imagesPerCall: 1024, concurrency: 1 } });
    let sent = 0;
    const total = 40;
    const requests = async function* (): AsyncIterable<LabelImages> {
      // The same images again and again: once the first call is answered, the rest costs no time.
      for (; sent < total; sent++) yield { ...header, pixels: pixelsOf(0, MAX_IMAGES_PER_SHARD) };
    };
    const collecting = collect(running, requests());
    await waitFor('a call under way', async () => (await running.metered.meter()).open === 1);
    const sentAt = await waitFor('the sender to stop', async () => {
      const before = sent;
      await running.client.unary('ListTeachers', {});
      await running.metered.meter();
      return before === sent && sent > 0 && before;
    });
    expect(sentAt).toBeLessThan(total);
    expect((await running.metered.meter()).calls.length).toBe(1);
    await running.metered.control({ hold: false });
    expect((await collecting).length).toBe(total);
  });

  it('budget - ends the stream as exhausted after the answers it paid for', async () => {
    await using running = await start();
    const responses: unknown[] = [];
    const streaming = (async () => {
      const requests = messages(5, 20, { budget: { images: 50 } });
      for await (const response of running.client.bidi('Label', requests)) responses.push(response);
    })();
    await expect(streaming).rejects.toMatchObject({ kind: 'budget-exhausted', code: 'BUDGET_EXHAUSTED' });
    expect(responses.length).toBe(2);
    expect((await running.metered.meter()).images).toBe(50);
  });

  it.each([
    ['half an image', { ...header, pixels: new Uint8Array(63) }, 'whole images of 8x8x1'],
    ['no shape', { ...header, shape: null, pixels: new Uint8Array(64) }, 'needs the shape'],
    ['too many images', { ...header, pixels: new Uint8Array(64 * 1025) }, 'are not 1 to 1024'],
  ])('Label - %s is refused', async (_, message, complaint) => {
    await using running = await start();
    const requests = (async function* () {
      yield message;
    })();
    await expect(collect(running, requests)).rejects.toThrow(complaint);
  });
});

describe('teacher service - start', () => {
  it('an address beyond loopback without authentication - is refused', async () => {
    await using folder = await temporaryFolder();
    const stores = await openEmbeddedStores({ folder: folder.path, clock: systemClock });
    const starting = startTeacherProxy({
      stores,
      stateFolder: folder.path,
      address: '0.0.0.0:0',
      teachers: [],
      logger: silentLogger,
    });
    await expect(starting).rejects.toMatchObject({ code: 'INSECURE_LISTEN' });
    await stores.close();
  });

  it('a second start - finds the teachers of the first', async () => {
    await using folder = await temporaryFolder();
    const stores = await openEmbeddedStores({ folder: folder.path, clock: systemClock });
    const options = { stores, stateFolder: folder.path, address: '127.0.0.1:0', logger: silentLogger };
    await (await startTeacherProxy({ ...options, teachers: [parseTeacherConfig('mine', { adapter: 'fake' })] })).stop();
    const again = await startTeacherProxy({ ...options, teachers: [] });
    const client = connect(SERVICE, again.address);
    expect(await client.unary('ListTeachers', {})).toEqual({ names: ['mine'] });
    client.close();
    await again.stop();
    await stores.close();
  });

  it('stop - waits for the calls of a stream whose caller has gone, and keeps their answers', async () => {
    await using running = await start({ hold: true });
    const gone = new AbortController();
    const streaming = (async () => {
      const stream = running.client.bidi('Label', messages(1, 20), { signal: gone.signal });
      for await (const _ of stream);
    })();
    streaming.catch(() => undefined);
    await waitFor('a call under way', async () => (await running.metered.meter()).open === 1);
    gone.abort();
    await streaming.catch(() => undefined);
    let isStopped = false;
    const stopping = running.proxy.stop().then(() => (isStopped = true));
    await waitFor('the address to be free', () => isRefused(running.proxy.address));
    expect(isStopped).toBe(false);
    await running.metered.control({ hold: false });
    await stopping;
    const again = await startTeacherProxy({ ...running.options, teachers: [] });
    const client = connect(SERVICE, again.address);
    const shard = await shardOf(running, 0, 20);
    const found = await client.unary('LookUp', { teacher: 'metered', images: shard, classes: CLASSES });
    expect(found).toMatchObject({ answers: { images: 20, unanswered: 0 } });
    const { lines } = await client.unary('Usage', {});
    expect(lines).toMatchObject([{ counts: { settled: 20, unknown: 0 } }]);
    client.close();
    await again.stop();
  });

  it('stop - gives unfinished jobs back to whoever comes next', async () => {
    await using running = await start({ hold: true });
    const { id } = await submit(running, 0, 100);
    await waitFor('calls under way', async () => (await running.metered.meter()).open === 4);
    const stopping = running.proxy.stop();
    await running.metered.control({ hold: false });
    await stopping;
    const job = await new JobClient(running.stores, systemClock).get(id);
    expect(job.state).toBe('queued');
    expect((await running.metered.meter()).images).toBe(80);
  });
});
