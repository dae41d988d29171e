import { once } from 'node:events';
import { createServer } from 'node:http2';
import type { ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { BbdError, ManualClock, RandomStream, systemClock } from '@bbdistill/common';
import type { Clock } from '@bbdistill/common';
import type { ImageBatch, ResponseOf, RequestReadOf, ServiceHandlers } from '@bbdistill/common';
import { FakeTeacher, normaliseAnswer, openTeacher, parseTeacherConfig } from '@bbdistill/teacher-proxy';
import type { QueryOutcome, Teacher } from '@bbdistill/teacher-proxy';
import { describe, expect, it } from 'vitest';
import { CLASSES, referenceAnswer } from '../fixtures/teachers/reference-teacher.mjs';
import { serve } from '../helpers/grpc.js';
import { startHostedTeacher } from '../helpers/hosted-teacher.js';
import type { GivenAnswer } from '../helpers/hosted-teacher.js';
import { startMeteredTeacher } from '../helpers/metered-teacher.js';
import { waitFor } from '../helpers/wait-for.js';
import type { Behaviour, MeteredTeacher } from '../helpers/metered-teacher.js';

const SERVICE = 'inference.GRPCInferenceService';
type InferRequest = RequestReadOf<typeof SERVICE, 'ModelInfer'>;
type InferResponse = ResponseOf<typeof SERVICE, 'ModelInfer'>;

const model = (name: string) => fileURLToPath(new URL(`../fixtures/teachers/${name}.onnx`, import.meta.url));
const signal = () => AbortSignal.timeout(20_000);

function someImages(count: number): ImageBatch {
  const random = new RandomStream(7, 'adapters');
  return {
    count,
    shape: { height: 8, width: 8, channels: 1 },
    pixels: Uint8Array.from({ length: count * 64 }, () => random.integer(256)),
  };
}

function expectedRow(images: ImageBatch, image: number): number[] {
  return referenceAnswer(
    Float32Array.from(images.pixels.subarray(image * 64, (image + 1) * 64), (value) => value / 255),
  );
}

function rows(teacher: Teacher, outcome: QueryOutcome): number[][] {
  if (outcome.kind !== 'answered') throw new Error(`not answered: ${JSON.stringify(outcome)}`);
  return outcome.answers.map((answer) => {
    if (!answer.ok) throw new Error(answer.message);
    const target = new Float32Array(CLASSES);
    expect(normaliseAnswer(answer.raw, target, teacher.answer)).toMatchObject({ ok: true, kind: 'target' });
    return Array.from(target);
  });
}

interface Opened extends AsyncDisposable {
  teacher: Teacher;
}

const open = (config: unknown, env = {}, clock: Clock = systemClock) =>
  openTeacher(parseTeacherConfig('t', config), env, clock);

async function onnx(name: string, declared: object = {}): Promise<Opened> {
  const teacher = await open({ adapter: 'onnx', path: model(name), ...declared });
  return { teacher, [Symbol.asyncDispose]: () => teacher.close() };
}

interface OpenedHttp extends Opened {
  metered: MeteredTeacher;
}

async function http(behaviour: Behaviour, declared: object = {}, env = {}): Promise<OpenedHttp> {
  const metered = await startMeteredTeacher(behaviour);
  const config = { adapter: 'open-inference-http', url: metered.url, model: 'reference', ...declared };
  const teacher = await open(config, env);
  return { teacher, metered, [Symbol.asyncDispose]: () => metered[Symbol.asyncDispose]() };
}

/** A gRPC teacher that gives its answers raw or typed. */
async function grpc(
  answers: 'raw' | 'typed',
  infer?: (request: InferRequest, token: string) => InferResponse,
  declared: object = {},
  serverOptions: { maxMessageBytes?: number } = {},
): Promise<Opened & { address: string }> {
  const handlers: Partial<ServiceHandlers<typeof SERVICE>> = {
    async ModelMetadata() {
      return {
        name: 'reference',
        inputs: [{ name: 'images', datatype: 'FP32', shape: [-1, 8, 8, 1] }],
        outputs: [{ name: 'probabilities', datatype: 'FP32', shape: [-1, CLASSES] }],
      };
    },
    async ModelInfer(request, { metadata }) {
      if (infer) return infer(request, String(metadata.get('x-key')[0] ?? ''));
      const raw = request.rawInputContents[0]!;
      const values = new Float32Array(new Uint8Array(raw).buffer);
      const count = request.inputs[0]!.shape[0]!;
      const flat = Array.from({ length: count }, (_, n) =>
        referenceAnswer(values.subarray(n * 64, n * 64 + 64)),
      ).flat();
      const tensor = { name: 'probabilities', datatype: 'FP32', shape: [count, CLASSES] };
      return answers === 'raw'
        ? { outputs: [tensor], rawOutputContents: [Buffer.from(Float32Array.from(flat).buffer)] }
        : { outputs: [{ ...tensor, contents: { fp32Contents: flat } }] };
    },
  };
  const served = await serve(SERVICE, handlers, serverOptions);
  const teacher = await open(
    { adapter: 'open-inference-grpc', url: served.server.address, model: 'reference', ...declared },
    { KEY: 'secret' },
  );
  return {
    teacher,
    address: served.server.address,
    async [Symbol.asyncDispose]() {
      await teacher.close();
      await served[Symbol.asyncDispose]();
    },
  };
}

/** What stands before a gRPC teacher and answers in its place, with every name declared so that only the paid call comes. */
async function grpcGateway(answer: (stream: ServerHttp2Stream) => void): Promise<Opened> {
  const server = createServer();
  server.on('sessionError', () => undefined);
  server.on('stream', (stream) => {
    stream.on('error', () => undefined);
    stream.resume();
    stream.on('end', () => answer(stream));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const teacher = await open({
    adapter: 'open-inference-grpc',
    url: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    model: 'reference',
    input: { name: 'images' },
    answer: { output: 'probabilities' },
  });
  return {
    teacher,
    async [Symbol.asyncDispose]() {
      await teacher.close();
      server.close();
    },
  };
}

/** What every adapter promises, each on a real model or server that computes the reference function. */
describe.each([
  ['onnx, probabilities, NHWC', () => onnx('probabilities-nhwc')],
  ['onnx, logits, NCHW', () => onnx('logits-nchw', { answer: { output: 'logits' } })],
  ['open-inference-http, JSON', () => http({})],
  ['open-inference-http, binary', () => http({ binary: true })],
  ['open-inference-grpc, raw', () => grpc('raw')],
  ['open-inference-grpc, typed', () => grpc('typed')],
])('teacher adapter - %s', (_, start: () => Promise<Opened>) => {
  it('query - answers each image as the model does', async () => {
    await using opened = await start();
    const images = someImages(5);
    const found = rows(opened.teacher, await opened.teacher.query(images, signal()));
    found.forEach((row, image) => {
      const expected = expectedRow(images, image);
      row.forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, 5));
    });
  });

  it('query - one image, and many calls at the same time', async () => {
    await using opened = await start();
    const images = someImages(8);
    const single = (n: number) => ({ ...images, count: 1, pixels: images.pixels.slice(n * 64, (n + 1) * 64) });
    const outcomes = await Promise.all(Array.from({ length: 8 }, (_, n) => opened.teacher.query(single(n), signal())));
    outcomes.forEach((outcome, n) => {
      expect(rows(opened.teacher, outcome)[0]![0]).toBeCloseTo(expectedRow(images, n)[0]!, 5);
    });
  });

  it('describe - says that it is ready, and what it knows', async () => {
    await using opened = await start();
    const facts = await opened.teacher.describe(signal());
    expect(facts).toMatchObject({ ready: true, classes: CLASSES, inputShape: { height: 8, width: 8, channels: 1 } });
  });

  it('canonical requests - depend on the pixels alone', async () => {
    await using opened = await start();
    const { bytes, bytesPerImage } = opened.teacher.canonicalRequests(someImages(3));
    const again = opened.teacher.canonicalRequests(someImages(2));
    expect(Buffer.from(again.bytes)).toEqual(Buffer.from(bytes.subarray(0, 2 * bytesPerImage)));
  });
});

describe('teacher adapter - onnx', () => {
  it('hard label of a model with a fixed batch of one - is found out and asked image by image', async () => {
    await using opened = await onnx('hard-label-bytes');
    expect(opened.teacher.answer.kind).toBe('hard-label');
    const images = someImages(3);
    const found = rows(opened.teacher, await opened.teacher.query(images, signal()));
    found.forEach((row, n) => {
      const expected = expectedRow(images, n);
      expect(row.indexOf(1)).toBe(expected.indexOf(Math.max(...expected)));
    });
  });

  it('answer kind - is told apart by a probe', async () => {
    await using soft = await onnx('probabilities-nhwc');
    await using raw = await onnx('logits-nchw', { answer: { output: 'logits' } });
    expect([soft.teacher.answer.kind, raw.teacher.answer.kind]).toEqual(['probabilities', 'logits']);
  });

  it.each(['sigmoids', 'percent'] as const)(
    'answer kind - what may be %s is refused until it is declared',
    async (kind) => {
      await expect(onnx(`${kind}-nhwc`)).rejects.toMatchObject({
        code: 'TEACHER_ANSWER_KIND',
        message: expect.stringMatching(
          new RegExp(`teachers\\.t\\.answer\\.kind is missing.* may be ${kind} as well as logits`),
        ) as string,
      });
      await using declared = await onnx(`${kind}-nhwc`, { answer: { kind } });
      expect(declared.teacher.answer.kind).toBe(kind);
      const images = someImages(3);
      const found = rows(declared.teacher, await declared.teacher.query(images, signal()));
      // The odds of a sigmoid are those of the logits behind it: the reference again, either way.
      found.forEach((row, n) => {
        const expected = expectedRow(images, n);
        row.forEach((value, index) => expect(value).toBeCloseTo(expected[index]!, 4));
      });
    },
  );

  it('answer kind - probabilities of eight bits are probabilities, though they sum to 1 only about', async () => {
    await using opened = await onnx('quantised-nhwc');
    expect(opened.teacher.answer.kind).toBe('probabilities');
    const black = { ...someImages(1), pixels: new Uint8Array(64) };
    const outcome = await opened.teacher.query(black, signal());
    const [answer] = outcome.kind === 'answered' ? outcome.answers : [];
    const raw = answer?.ok && typeof answer.raw !== 'string' ? Array.from(answer.raw) : [];
    const offBy = Math.abs(raw.reduce((sum, value) => sum + value, 0) - 1);
    expect(offBy).toBeGreaterThan(1e-3);
    expect(offBy).toBeLessThan(1e-2);
    expect(rows(opened.teacher, outcome)).toEqual([[0.25, 0.25, 0.25, 0.25]]);
  });

  it('answer kind - a setting that contradicts what the probe found is refused by its name', async () => {
    const answer = { output: 'logits', percent: true };
    await expect(onnx('logits-nchw', { answer })).rejects.toThrow(
      'teachers.t.answer.percent contradicts answer.kind logits',
    );
  });

  it('cache identity - is the file, not its path', async () => {
    await using one = await onnx('probabilities-nhwc');
    await using two = await onnx('logits-nchw', { answer: { output: 'logits' } });
    await using again = await onnx('probabilities-nhwc');
    expect(one.teacher.cacheIdentity).toBe(again.teacher.cacheIdentity);
    expect(one.teacher.cacheIdentity).not.toBe(two.teacher.cacheIdentity);
  });

  it.each([
    ['a file that is not there', { path: '/nowhere/teacher.onnx' }, "can't be read"],
    ['a file that is no model', { path: fileURLToPath(import.meta.url) }, 'is not a model that ONNX Runtime can load'],
    ['an output that is not there', { answer: { output: 'scores' } }, 'the model has probabilities'],
    ['another datatype', { input: { datatype: 'UINT8' } }, 'is of type float32, not UINT8'],
  ])('open - %s is refused', async (_, declared, message) => {
    await expect(onnx('probabilities-nhwc', declared)).rejects.toThrow(message);
  });

  it('images of another size - are refused with what to set', async () => {
    await using opened = await onnx('probabilities-nhwc');
    const images = { count: 1, shape: { height: 9, width: 9, channels: 1 }, pixels: new Uint8Array(81) };
    expect(() => opened.teacher.canonicalRequests(images)).toThrow('set input.size');
  });
});

describe('teacher adapter - fake', () => {
  it('query - is the same function of the pixels everywhere', async () => {
    const images = someImages(2);
    const [first, again, other] = await Promise.all(
      [new FakeTeacher(), new FakeTeacher(), new FakeTeacher({ seed: 2 })].map((teacher) =>
        teacher.query(images, signal()),
      ),
    );
    expect(again).toEqual(first);
    expect(other).not.toEqual(first);
  });

  it('query - fails as often as it is told to', async () => {
    const teacher = new FakeTeacher({ failEvery: 2 });
    const kinds = [];
    for (let call = 0; call < 4; call++) kinds.push((await teacher.query(someImages(1), signal())).kind);
    expect(kinds).toEqual(['answered', 'failed', 'answered', 'failed']);
  });
});

describe('teacher adapter - open-inference-http failures', () => {
  it.each([
    ['throttle', { mode: 'throttle', retryAfter: '3' }, { kind: 'throttled', retryAfterMs: 3000 }],
    ['unavailable', { mode: 'unavailable' }, { kind: 'throttled', reason: 'overloaded' }],
    ['fail', { mode: 'fail' }, { kind: 'failed' }],
    ['refuse', { mode: 'refuse' }, { kind: 'refused', code: 'HTTP_400' }],
    ['drop', { mode: 'drop' }, { kind: 'lost' }],
  ] as const)('query - %s is told apart', async (_, behaviour, expected) => {
    await using opened = await http(behaviour);
    expect(await opened.teacher.query(someImages(2), signal())).toMatchObject(expected);
  });

  it('query - no answer in time is lost', async () => {
    await using opened = await http({ hold: true });
    expect(await opened.teacher.query(someImages(2), AbortSignal.timeout(200))).toMatchObject({ kind: 'lost' });
  });

  it('query - a server that is not there is unreachable', async () => {
    const gone = await http({});
    await gone[Symbol.asyncDispose]();
    expect(await gone.teacher.query(someImages(2), signal())).toMatchObject({ kind: 'unreachable' });
    expect(await gone.teacher.describe(signal())).toMatchObject({ ready: false });
  });

  it('query - an answer that is no JSON fails image by image, charged', async () => {
    await using opened = await http({ mode: 'garbage' });
    const unreadable = { ok: false, code: 'ANSWER_UNREADABLE', charged: true };
    expect(await opened.teacher.query(someImages(2), signal())).toMatchObject({
      kind: 'answered',
      answers: [unreadable, unreadable],
    });
  });

  it('query - NaN spoils only its own image', async () => {
    await using opened = await http({ mode: 'nan' });
    const outcome = await opened.teacher.query(someImages(2), signal());
    if (outcome.kind !== 'answered') throw new Error(outcome.kind);
    const values = outcome.answers.map((answer) =>
      answer.ok && typeof answer.raw !== 'string' ? Array.from(answer.raw) : [],
    );
    expect(values[0]).toEqual(Array<number>(CLASSES).fill(Number.NaN));
    expect(values[1]!.every(Number.isFinite)).toBe(true);
  });

  it('auth - the secret is sent as declared, and missing it is said', async () => {
    const auth = { header: 'Authorization', scheme: 'Bearer', env: 'TEACHER_TOKEN' };
    await using right = await http({ token: 'Bearer abc' }, { auth }, { TEACHER_TOKEN: 'abc' });
    expect(await right.teacher.query(someImages(1), signal())).toMatchObject({ kind: 'answered' });
    await using wrong = await http({ token: 'Bearer abc' }, { auth }, { TEACHER_TOKEN: 'xyz' });
    expect(await wrong.teacher.query(someImages(1), signal())).toMatchObject({ kind: 'refused', code: 'TEACHER_AUTH' });
    await using none = await http({ token: 'Bearer abc' }, { auth }, {});
    await expect(none.teacher.query(someImages(1), signal())).rejects.toThrow('TEACHER_TOKEN');
  });

  it('auth - the secret travels in the address of every call where that is declared', async () => {
    const infer = { outputs: [{ name: 'y', datatype: 'FP32', shape: [1, CLASSES], data: [1, 0, 0, 0] }] };
    await using hosted = await startHostedTeacher(({ path }) => (path.includes('/infer') ? { body: infer } : {}));
    const auth = { query: 'key', env: 'KEY' };
    const config = { adapter: 'open-inference-http', url: hosted.url, model: 'm', input: { name: 'x' }, auth };
    const teacher = await open(config, { KEY: 'k-1234567' });
    expect(await teacher.query(someImages(1), signal())).toMatchObject({ kind: 'answered' });
    expect(hosted.received.map(({ path }) => path)).toEqual([
      '/v2?key=k-1234567',
      '/v2/models/m?key=k-1234567',
      '/v2/models/m/infer?key=k-1234567',
    ]);
    await teacher.close();
  });

  it('output - a name that the teacher does not have is said', async () => {
    await using opened = await http({}, { answer: { output: 'scores' } });
    const outcome = await opened.teacher.query(someImages(1), signal());
    expect(JSON.stringify(outcome)).toContain('no output \\"scores\\", but: probabilities');
  });
});

describe('teacher adapter - open-inference-http, what the server can do', () => {
  const declared = { input: { name: 'images' }, answer: { output: 'probabilities' } };

  /** A server that answers `GET /v2` as told, the last answer for ever, and infers in JSON. */
  async function serverOf(...answers: GivenAnswer[]) {
    let asked = 0;
    const hosted = await startHostedTeacher(({ path }) => {
      if (path === '/v2') return answers[Math.min(asked++, answers.length - 1)];
      const output = { name: 'probabilities', datatype: 'FP32', shape: [1, CLASSES], data: [1, 0, 0, 0] };
      return { body: { outputs: [output] } };
    });
    const clock = new ManualClock();
    const config = { adapter: 'open-inference-http', url: hosted.url, model: 'reference', ...declared };
    const teacher = await open(config, {}, clock);
    return {
      clock,
      ask: async () => (await teacher.query(someImages(1), signal())) as { kind: string; retryAfterMs?: number },
      /** Of the calls that may be billed, in which form they were. */
      forms: () =>
        hosted.received
          .filter(({ method }) => method === 'POST')
          .map(({ headers }) => (headers['inference-header-content-length'] === undefined ? 'JSON' : 'binary')),
      asked: () => asked,
      async [Symbol.asyncDispose]() {
        await teacher.close();
        await hosted[Symbol.asyncDispose]();
      },
    };
  }
  const binary = { body: { name: 'server', extensions: ['binary_tensor_data'] } };

  it.each([429, 500, 502, 503, 504, 520])(
    'a passing %s is waited for, and nothing is asked that costs',
    async (status) => {
      await using server = await serverOf({ status, headers: { 'retry-after': '2' } }, binary);
      const ofGateway = [502, 504, 520].includes(status);
      expect(await server.ask()).toMatchObject({ kind: 'throttled', ...(!ofGateway && { retryAfterMs: 2000 }) });
      expect(server.forms()).toEqual([]);
      expect(await server.ask()).toMatchObject({ kind: 'answered' });
      expect(server.forms()).toEqual(['binary']);
    },
  );

  it.each([429, 500, 503, 504])(
    'a server that always fails on it with %s is asked anew now and then',
    async (status) => {
      await using server = await serverOf({ status });
      expect(await server.ask()).toMatchObject({ kind: 'throttled' });
      await server.clock.advance(5_000);
      for (let call = 0; call < 10; call++) expect(await server.ask()).toMatchObject({ kind: 'answered' });
      expect(server.forms()).toEqual(Array<string>(10).fill('JSON'));
      expect(server.asked()).toBe(2);
      await server.clock.advance(60_000);
      expect(await server.ask()).toMatchObject({ kind: 'answered' });
      expect(server.asked()).toBe(3);
    },
  );

  it.each([404, 405, 501, 400, 403, 301])('a server that always says %s of it is asked once', async (status) => {
    await using server = await serverOf({ status });
    for (let call = 0; call < 3; call++) expect(await server.ask()).toMatchObject({ kind: 'answered' });
    expect(server.forms()).toEqual(['JSON', 'JSON', 'JSON']);
    expect(server.asked()).toBe(1);
  });

  it.each([
    ['not needed', declared.input],
    ['needed', {}],
  ])('names that a passing failure hides are asked for again, and nothing is paid for - %s', async (_, input) => {
    const failure = { status: 503, body: 'upstream connect error, reset reason: connection termination' };
    const names = { inputs: [{ name: 'images' }], outputs: [{ name: 'probabilities' }] };
    const metadata = [failure, { status: 504 }, { body: names }];
    await using hosted = await startHostedTeacher(({ path }) => {
      if (path === '/v2') return { status: 404 };
      if (path === '/v2/models/reference') return metadata.shift()!;
      const output = { name: 'probabilities', datatype: 'FP32', shape: [1, CLASSES], data: [1, 0, 0, 0] };
      return { body: { outputs: [output] } };
    });
    const teacher = await open({ adapter: 'open-inference-http', url: hosted.url, model: 'reference', input });
    const outcomes: string[] = [];
    for (let call = 0; call < 4; call++) outcomes.push((await teacher.query(someImages(1), signal())).kind);
    expect(outcomes).toEqual(['throttled', 'throttled', 'answered', 'answered']);
    const asked = hosted.received.filter(({ method }) => method === 'POST').map(({ body }) => body.toString());
    expect(asked.map((body) => body.includes('"outputs":[{"name":"probabilities"'))).toEqual([true, true]);
    await teacher.close();
  });

  it('a server that lets in calls alone is asked no further, however its calls overlap', async () => {
    const held: (() => void)[] = [];
    let asked = 0;
    await using hosted = await startHostedTeacher(async ({ path }) => {
      if (path === '/v2') {
        asked++;
        return { status: 403 };
      }
      await new Promise<void>((resolve) => held.push(resolve));
      const output = { name: 'probabilities', datatype: 'FP32', shape: [1, CLASSES], data: [1, 0, 0, 0] };
      return { body: { outputs: [output] } };
    });
    const teacher = await open({ adapter: 'open-inference-http', url: hosted.url, model: 'reference', ...declared });
    const call = () => teacher.query(someImages(1), signal());
    const first = call();
    await waitFor('the first call', () => held.length === 1);
    const second = call();
    await waitFor('the second call', () => held.length === 2);
    held[0]!();
    expect(await first).toMatchObject({ kind: 'answered' });
    const third = call();
    await waitFor('the third call', () => held.length === 3);
    expect(asked).toBe(2);
    held[1]!();
    held[2]!();
    await Promise.all([second, third]);
    await teacher.close();
  });

  it.each([404, 501])('a server that says %s of its model costs nothing, whatever is billed', async (status) => {
    await using hosted = await startHostedTeacher(() => ({ status }));
    const teacher = await open({ adapter: 'open-inference-http', url: hosted.url, model: 'reference', input: {} });
    const outcome = await teacher.query(someImages(1), signal());
    expect(outcome).toMatchObject({ kind: 'refused', sent: false });
    expect(outcome).toHaveProperty('message', expect.stringMatching(status === 404 ? /HTTP 404/ : /set input\.name/));
    expect(hosted.received.every(({ method }) => method === 'GET')).toBe(true);
    await teacher.close();
  });

  it('a server that turns away an old secret is asked anew with the new one', async () => {
    let isOpen = false;
    await using hosted = await startHostedTeacher(({ path }) => {
      if (!isOpen) return { status: 401 };
      if (path === '/v2') return binary;
      const output = { name: 'probabilities', datatype: 'FP32', shape: [1, CLASSES], data: [1, 0, 0, 0] };
      return { body: { outputs: [output] } };
    });
    const teacher = await open({ adapter: 'open-inference-http', url: hosted.url, model: 'reference', ...declared });
    expect(await teacher.query(someImages(1), signal())).toMatchObject({ kind: 'refused', code: 'TEACHER_AUTH' });
    isOpen = true;
    expect(await teacher.query(someImages(1), signal())).toMatchObject({ kind: 'answered' });
    expect(hosted.received.at(-1)!.headers['inference-header-content-length']).toBeDefined();
    await teacher.close();
  });
});

describe('teacher adapter - open-inference-grpc failures', () => {
  const throwing = (kind: ConstructorParameters<typeof BbdError>[0]) => () => {
    throw new BbdError(kind, `it is ${kind}`);
  };

  it.each([
    ['resource-exhausted', 'throttled'],
    ['unavailable', 'throttled'],
    ['internal', 'failed'],
    ['invalid-argument', 'refused'],
    ['unauthenticated', 'refused'],
    ['deadline-exceeded', 'lost'],
  ] as const)('query - %s is %s', async (kind, expected) => {
    await using opened = await grpc('raw', throwing(kind));
    expect(await opened.teacher.query(someImages(1), signal())).toMatchObject({ kind: expected });
  });

  it('query - what is too large for the server is refused with what to lower, and not asked again', async () => {
    await using opened = await grpc('raw', undefined, {}, { maxMessageBytes: 1000 });
    expect(await opened.teacher.query(someImages(8), signal())).toMatchObject({
      kind: 'refused',
      code: 'TEACHER_TOO_LARGE',
      message: expect.stringContaining('(lower limits.imagesPerCall)') as string,
    });
    expect(await opened.teacher.query(someImages(2), signal())).toMatchObject({ kind: 'answered' });
  });

  it.each<[string, ConstructorParameters<typeof BbdError>[0], string, string]>([
    ['in C++', 'resource-exhausted', 'SERVER: Received message larger than max (38535168 vs. 4194304)', 'refused'],
    ['in Go', 'resource-exhausted', 'grpc: received message larger than max (38535168 vs. 4194304)', 'refused'],
    ['in Java', 'resource-exhausted', 'gRPC message exceeds maximum size 4194304: 38535168', 'refused'],
    ['in .NET', 'resource-exhausted', 'Received message exceeds the maximum configured message size.', 'refused'],
    [
      'in Rust',
      'invalid-argument',
      'Error, decoded message length too large: found 38535168 bytes, the limit is: 4194304 bytes',
      'refused',
    ],
    ['whose own answer is too large', 'resource-exhausted', 'Sent message larger than max (9 vs. 4)', 'lost'],
    ['behind a client', 'resource-exhausted', 'CLIENT: Received message larger than max (9 vs. 4)', 'lost'],
    ['that is too slow for its gateway', 'unavailable', 'upstream request timeout', 'lost'],
    [
      'that its gateway lost',
      'unavailable',
      'upstream connect error or disconnect/reset before headers. reset reason: connection termination',
      'lost',
    ],
    [
      'that its gateway never reached',
      'unavailable',
      'upstream connect error or disconnect/reset before headers. reset reason: connection failure',
      'throttled',
    ],
  ])('query - a server %s', async (_, kind, words, expected) => {
    await using opened = await grpc('raw', () => {
      throw new BbdError(kind, words);
    });
    const outcome = await opened.teacher.query(someImages(1), signal());
    expect(outcome).toMatchObject({
      kind: expected,
      ...(expected === 'refused' && { code: 'TEACHER_TOO_LARGE' }),
      message: expect.stringContaining(words) as string,
    });
  });

  it('query - an answer that is longer than we take is lost, as it may have been charged', async () => {
    await using opened = await grpcGateway((stream) => {
      stream.respond({ ':status': 200, 'content-type': 'application/grpc' });
      const head = Buffer.alloc(5);
      head.writeUInt32BE(128 * 1024 * 1024, 1);
      stream.write(head);
    });
    const outcome = await opened.teacher.query(someImages(1), signal());
    expect(outcome).toMatchObject({ kind: 'lost', message: expect.stringContaining('larger than max') as string });
  });

  it.each([
    [502, { kind: 'lost' }],
    [504, { kind: 'lost' }],
    [524, { kind: 'lost' }],
    [523, { kind: 'unreachable' }],
    [503, { kind: 'throttled' }],
    [413, { kind: 'refused', code: 'TEACHER_TOO_LARGE' }],
  ])('query - a gateway that answers plain HTTP %s', async (status, expected) => {
    await using opened = await grpcGateway((stream) => {
      stream.respond({ ':status': status, 'content-type': 'text/html' });
      stream.end('<html>');
    });
    expect(await opened.teacher.query(someImages(1), signal())).toMatchObject(expected);
  });

  it('query - no wait that the server asks for is longer than a timer can be', async () => {
    await using opened = await grpc('raw', () => {
      throw new BbdError('resource-exhausted', 'come back next year', { retryAfterMs: 365 * 24 * 3600 * 1000 });
    });
    expect(await opened.teacher.query(someImages(1), signal())).toMatchObject({
      kind: 'throttled',
      retryAfterMs: 24 * 3600 * 1000,
    });
  });

  it.each([
    ['with names to find out', {}],
    ['with all names declared', { input: { name: 'x' }, answer: { output: 'y' } }],
  ])('query - a server that is not there is unreachable, %s', async (_, declared) => {
    const gone = await grpc('raw', undefined, declared);
    await gone[Symbol.asyncDispose]();
    const teacher = await open({ adapter: 'open-inference-grpc', url: gone.address, model: 'reference', ...declared });
    expect(await teacher.query(someImages(1), signal())).toMatchObject({ kind: 'unreachable' });
    expect(await teacher.describe(signal())).toMatchObject({ ready: false });
    await teacher.close();
  });

  it('auth - the secret travels in the declared header', async () => {
    const tokens: string[] = [];
    const infer = (_: InferRequest, token: string): InferResponse => {
      tokens.push(token);
      const tensor = { name: 'probabilities', datatype: 'FP32', shape: [1, 2] };
      return { outputs: [{ ...tensor, contents: { fp32Contents: [0.5, 0.5] } }] };
    };
    await using opened = await grpc('typed', infer, { auth: { header: 'X-Key', env: 'KEY' } });
    expect(await opened.teacher.query(someImages(1), signal())).toMatchObject({ kind: 'answered' });
    expect(tokens).toEqual(['secret']);
  });

  it('answer - of another number of images is unreadable', async () => {
    const infer = (): InferResponse => ({
      outputs: [{ name: 'probabilities', datatype: 'FP32', shape: [1, 2], contents: { fp32Contents: [0.5, 0.5] } }],
    });
    await using opened = await grpc('typed', infer);
    expect(JSON.stringify(await opened.teacher.query(someImages(3), signal()))).toContain(
      '3 images with a tensor [1,2]',
    );
  });
});
