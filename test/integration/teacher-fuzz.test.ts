import { fileURLToPath } from 'node:url';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { BbdError, RandomStream, asBbdError, silentLogger } from '@bbdistill/common';
import type { ImageBatch } from '@bbdistill/common';
import {
  CallLog,
  Coalescer,
  EmbeddedAnswerCache,
  Labeller,
  Ledger,
  UsageBook,
  openTeacher,
  parseTeacherConfig,
  usageLines,
} from '@bbdistill/teacher-proxy';
import type { Limiter } from '@bbdistill/teacher-proxy';
import { describe, expect, it } from 'vitest';
import { hastyClock } from '../helpers/hasty-clock.js';
import { startHostedTeacher } from '../helpers/hosted-teacher.js';
import { MemoryState } from '../helpers/memory-state.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

const PROTO = fileURLToPath(new URL('../fixtures/wire/open_inference.proto', import.meta.url));
const RESPONSES = 1000;
const CLASSES = 3;
const IMAGES_PER_TASK = 3;
const HOUR_MS = 3_600_000;
const FUZZ_TIMEOUT_MS = 300_000;
const shape = { height: 2, width: 2, channels: 1 };
const labels = ['cat', 'dog', 'bird'];

/** Images that no other number has. */
function imagesOf(numbers: readonly number[]): ImageBatch {
  const pixels = Uint8Array.from(numbers.flatMap((number) => [number & 255, number >> 8, 1, 2]));
  return { count: numbers.length, shape, pixels };
}

/** Lets everything through: what is tried here is what comes back, not when. */
const unlimited: Limiter = {
  acquire: async () => ({ waitMs: () => 0, sent: () => true, answered: () => undefined, release: () => undefined }),
  throttled: () => undefined,
  state: () => ({ waiting: 0, inFlight: 0, waitsFor: '', heldOffForMs: 0, rate: 1, openCalls: 1 }),
  close: async () => undefined,
};

interface Wire extends AsyncDisposable {
  url: string;
  /** How many responses were given. */
  given(): number;
  /** From now on all answers are right. */
  mend(): void;
}

/**
 * Labels through a teacher that answers nonsense until it has done so a thousand times, then through the same teacher
 * mended: nothing crashes, nothing is lost, no nonsense is kept as an answer.
 */
async function survives(wire: Wire, declared: object): Promise<void> {
  await using folder = await temporaryFolder();
  const cache = new EmbeddedAnswerCache(folder.path);
  // Waits take no time, whatever a Retry-After says; calls end by their answer alone.
  const clock = hastyClock(30 * HOUR_MS);
  const limits = { timeoutMs: 40 * HOUR_MS, concurrency: 2, imagesPerCall: IMAGES_PER_TASK };
  const config = parseTeacherConfig('fuzz', { url: wire.url, limits, ...declared });
  const teacher = await openTeacher(config, {}, clock);
  const state = new MemoryState();
  const ledger = new Ledger(state, config.name, config.price);
  const usage = new UsageBook(state);
  const labeller = new Labeller({
    config,
    teacher,
    cache,
    ledger,
    calls: new CallLog(state),
    usage,
    limiter: unlimited,
    coalescer: new Coalescer(),
    clock,
    random: new RandomStream(1, 'fuzz'),
    holder: 'fuzz',
    logger: silentLogger,
  });
  const label = (numbers: number[], run: string) =>
    labeller.label({ run, phase: 'mixup', budget: {}, classes: CLASSES, images: imagesOf(numbers) });
  const kinds = new Map<string, number>();
  let number = 0;
  const asked: number[] = [];
  try {
    const fuzzOne = async () => {
      const numbers = Array.from({ length: IMAGES_PER_TASK }, () => number++);
      asked.push(...numbers);
      const kind = await label(numbers, 'fuzz').then(
        () => 'answered',
        (thrown: unknown) => {
          expect(thrown).toBeInstanceOf(BbdError);
          // An internal error is one that nobody threw on purpose.
          if (asBbdError(thrown).kind === 'internal') throw thrown;
          return asBbdError(thrown).code;
        },
      );
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    };
    while (wire.given() < RESPONSES) await fuzzOne();
    // It isn't one way of failing that was tried a thousand times.
    expect(kinds.size).toBeGreaterThan(2);
    const { open } = await ledger.read();
    expect(open).toEqual({});
    for (const { counts } of await usageLines(usage, ledger, 'USD')) {
      const { reasked, cached, coalesced, billed, failed, unresolved, settled, unknown } = counts;
      expect(counts.asked + reasked).toBe(cached + coalesced + billed + failed + unresolved);
      expect(billed).toBe(settled + unknown);
    }
    wire.mend();
    const fresh = Array.from({ length: IMAGES_PER_TASK }, () => number++);
    const { answers } = await label(fresh, 'mended');
    expect(Array.from(answers.answered)).toEqual([1, 1, 1]);
    // What was kept of the nonsense is nothing but what has the form of an answer.
    for (let at = 0; at < asked.length; at += IMAGES_PER_TASK) {
      const again = await labeller.lookUp(imagesOf(asked.slice(at, at + IMAGES_PER_TASK)), CLASSES);
      again.answers.answered.forEach((flag, n) => {
        const row = again.answers.targets.subarray(n * CLASSES, (n + 1) * CLASSES);
        const sum = row.reduce((total, value) => total + value, 0);
        expect(row.every(Number.isFinite)).toBe(true);
        expect(sum).toBeCloseTo(flag, 4);
      });
    }
  } finally {
    await teacher.close();
    await cache.close();
  }
}

const PIECES = ['NaN', 'null', '-1', '1e999', '""', '{}', '[]', '"\\ud800"', '{"error":"x"}', 'true', '0.5'];

/** A JSON text that was right once. */
function spoiled(random: RandomStream, text: string): string {
  switch (random.integer(7)) {
    case 0:
      return text.slice(0, random.integer(text.length + 1));
    case 1: {
      const at = random.integer(text.length);
      return text.slice(0, at) + String.fromCharCode(random.integer(300)) + text.slice(at + 1);
    }
    case 2: {
      const piece = PIECES[random.integer(PIECES.length)]!;
      const values = [...text.matchAll(/-?\d+(\.\d+)?|"[^"]*"/g)];
      const hit = values[random.integer(Math.max(1, values.length))];
      return hit ? text.slice(0, hit.index) + piece + text.slice(hit.index + hit[0].length) : piece;
    }
    case 3:
      return PIECES[random.integer(PIECES.length)]!;
    case 4:
      return '['.repeat(20_000) + text;
    case 5:
      return `[${text},${text}]`;
    default:
      return text.replace(/\[/g, () => (random.integer(2) === 0 ? '[[' : '['));
  }
}

const STATUSES = [200, 200, 200, 200, 200, 201, 204, 301, 400, 401, 404, 408, 413, 418, 429, 500, 502, 503, 504, 529];
const HEADERS: Record<string, string>[] = [
  {},
  {},
  { 'content-type': 'text/html' },
  { 'retry-after': '-1' },
  { 'retry-after': '1e308' },
  { 'retry-after': 'Thu, 99 Foo 2026' },
  { ratelimit: '"a";r=;t=x', 'ratelimit-policy': ';;;' },
  { 'x-ratelimit-reset': '99999999999999999999', 'x-ratelimit-remaining': '-5' },
  { 'inference-header-content-length': '999999' },
  { 'inference-header-content-length': '-3' },
  { 'content-encoding': 'gzip' },
];

/** An HTTP teacher whose answer to a query is right and then spoiled; all other questions are answered well. */
async function httpWire(right: (images: number) => unknown, metadata: (path: string) => unknown): Promise<Wire> {
  const random = new RandomStream(7, 'http-fuzz');
  let given = 0;
  let isMended = false;
  const hosted = await startHostedTeacher(({ method, path, body }, response) => {
    if (method === 'GET') return { body: metadata(path) };
    const text = JSON.stringify(right(imagesIn(body.toString())));
    if (isMended) return { body: text };
    given++;
    if (random.integer(20) === 0) {
      // Half an answer, or none at all.
      if (random.integer(2) === 0) {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': String(text.length + 1) });
        response.write(text);
      }
      response.destroy();
      return undefined;
    }
    return {
      status: STATUSES[random.integer(STATUSES.length)]!,
      headers: HEADERS[random.integer(HEADERS.length)]!,
      body: spoiled(random, text),
    };
  });
  return {
    url: hosted.url,
    given: () => given,
    mend: () => (isMended = true),
    [Symbol.asyncDispose]: () => hosted[Symbol.asyncDispose](),
  };
}

/** How many images a JSON request holds; a picture is one. */
function imagesIn(body: string): number {
  try {
    const request = JSON.parse(body) as { inputs?: { shape?: number[] }[]; instances?: unknown[]; batch?: unknown[] };
    return request.inputs?.[0]?.shape?.[0] ?? request.instances?.length ?? request.batch?.length ?? 1;
  } catch {
    return 1;
  }
}

const row = [0.5, 0.25, 0.25];
const rows = (count: number) => Array.from({ length: count }, () => row);
const V2 = {
  name: 'm',
  inputs: [{ name: 'images', datatype: 'FP32', shape: [-1, 2, 2, 1] }],
  outputs: [{ name: 'p', datatype: 'FP32', shape: [-1, CLASSES] }],
};

describe('teacher fuzz - a thousand malformed answers', () => {
  it('open-inference-http', { timeout: FUZZ_TIMEOUT_MS }, async () => {
    await using wire = await httpWire(
      (count) => ({ outputs: [{ name: 'p', datatype: 'FP32', shape: [count, CLASSES], data: rows(count).flat() }] }),
      (path) => (path === '/v2' ? { name: 'fuzz', extensions: [] } : V2),
    );
    await survives(wire, { adapter: 'open-inference-http', model: 'm' });
  });

  it('tf-serving', { timeout: FUZZ_TIMEOUT_MS }, async () => {
    await using wire = await httpWire(
      (count) => ({ predictions: rows(count) }),
      () => ({}),
    );
    await survives(wire, { adapter: 'tf-serving', model: 'm' });
  });

  it('http-json', { timeout: FUZZ_TIMEOUT_MS }, async () => {
    await using wire = await httpWire(
      (count) => ({ r: rows(count).map((scores) => labels.map((label, n) => ({ label, score: scores[n] }))) }),
      () => ({}),
    );
    await survives(wire, {
      adapter: 'http-json',
      request: { format: 'base64', body: { batch: ['{{image}}'] } },
      response: { items: 'r', labels: '[].label', scores: '[].score', error: 'error' },
      answer: { kind: 'probabilities', labels },
    });
  });

  it('open-inference-grpc', { timeout: FUZZ_TIMEOUT_MS }, async () => {
    await using wire = await grpcWire();
    await survives(wire, { adapter: 'open-inference-grpc', model: 'm' });
  });
});

type Bytes = Buffer;

/** A gRPC teacher whose bytes are spoiled below protobuf: half messages, wrong wire types, statuses. */
async function grpcWire(): Promise<Wire> {
  const definition = loadSync(PROTO, { longs: Number, defaults: true })[
    'inference.GRPCInferenceService'
  ] as unknown as Record<
    string,
    { path: string; requestDeserialize(bytes: Buffer): unknown; responseSerialize(value: unknown): Buffer }
  >;
  const random = new RandomStream(7, 'grpc-fuzz');
  let given = 0;
  let isMended = false;
  const server = new Server();
  const bytesOf = (method: string) => ({
    path: definition[method]!.path,
    requestStream: false,
    responseStream: false,
    requestSerialize: (bytes: Bytes) => bytes,
    requestDeserialize: (bytes: Bytes) => bytes,
    responseSerialize: (bytes: Bytes) => bytes,
    responseDeserialize: (bytes: Bytes) => bytes,
  });
  server.addService(
    { ModelMetadata: bytesOf('ModelMetadata'), ModelInfer: bytesOf('ModelInfer') },
    {
      ModelMetadata: (_: unknown, reply: (error: null, bytes: Bytes) => void) =>
        reply(null, definition['ModelMetadata']!.responseSerialize(V2)),
      ModelInfer: ({ request }: { request: Bytes }, reply: (error: object | null, bytes?: Bytes) => void) => {
        const asked = definition['ModelInfer']!.requestDeserialize(request) as { inputs: { shape: number[] }[] };
        const count = asked.inputs[0]!.shape[0]!;
        const raw = Buffer.from(Float32Array.from(rows(count).flat()).buffer);
        const answer = {
          outputs: [{ name: 'p', datatype: 'FP32', shape: [count, CLASSES] }],
          rawOutputContents: [raw],
        };
        const serialize = (value: unknown) => definition['ModelInfer']!.responseSerialize(value);
        if (isMended) return reply(null, serialize(answer));
        given++;
        if (random.integer(3) === 0) return reply({ code: 1 + random.integer(16), details: 'spoiled' });
        if (random.integer(2) === 0) return reply(null, spoiledBytes(random, serialize(answer)));
        const odd: Record<string, unknown>[] = [
          { outputs: [] },
          { ...answer, rawOutputContents: [raw.subarray(0, random.integer(raw.length))] },
          { ...answer, rawOutputContents: [Buffer.alloc(raw.length, 255)] },
          { outputs: [{ ...answer.outputs[0], shape: [-1, -1] }], rawOutputContents: [raw] },
          { outputs: [{ ...answer.outputs[0], datatype: 'BYTES' }], rawOutputContents: [raw] },
          { outputs: [{ ...answer.outputs[0], datatype: 'FP99' }], rawOutputContents: [raw] },
          { outputs: [{ ...answer.outputs[0], contents: { fp32Contents: [1] } }] },
          { outputs: [{ ...answer.outputs[0], contents: {} }] },
          { outputs: [answer.outputs[0], answer.outputs[0]], rawOutputContents: [raw] },
        ];
        reply(null, serialize(odd[random.integer(odd.length)]));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return {
    url: `127.0.0.1:${port}`,
    given: () => given,
    mend: () => (isMended = true),
    async [Symbol.asyncDispose]() {
      server.forceShutdown();
    },
  };
}

function spoiledBytes(random: RandomStream, bytes: Buffer): Buffer {
  if (random.integer(2) === 0) return bytes.subarray(0, random.integer(bytes.length));
  const copy = Buffer.from(bytes);
  for (let hits = 1 + random.integer(4); hits > 0; hits--) copy[random.integer(copy.length)] = random.integer(256);
  return copy;
}
