import { EventEmitter, once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { BbdError, ConfigError, ManualClock, RandomStream, UnavailableError, connect } from '@bbdistill/common';
import type { Clock, ImageBatch } from '@bbdistill/common';
import { openTeacher, parseTeacherConfig } from '@bbdistill/teacher-proxy';
import { systemClock } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { startOpenInferenceGrpcServer } from '../../services/cli/src/teacher/open-inference-grpc-server.js';
import { OpenInferenceModel } from '../../services/cli/src/teacher/open-inference-model.js';
import type { ModelLimits, ServedClassifier } from '../../services/cli/src/teacher/open-inference-model.js';
import { CLOSE_GRACE_MS, startOpenInferenceServer } from '../../services/cli/src/teacher/open-inference-server.js';
import type { OpenInferenceServerOptions } from '../../services/cli/src/teacher/open-inference-server.js';

const SERVICE = 'inference.GRPCInferenceService';
const DRAIN_MS = 1000;

/** Two classes: the mean of the image's 2x3 pixels, and one minus it. */
const brightness: ServedClassifier = {
  name: 'brightness',
  version: '2',
  platform: 'test',
  input: { name: 'images', dims: [2, 3, 1], datatype: 'FP32' },
  output: { name: 'probabilities', classes: 2 },
  async classify(images, count) {
    const rows = new Float32Array(count * 2);
    for (let n = 0; n < count; n++) {
      const mean = images.subarray(n * 6, n * 6 + 6).reduce((sum, value) => sum + value, 0) / 6;
      rows.set([mean, 1 - mean], n * 2);
    }
    return rows;
  },
};

interface Served extends AsyncDisposable {
  url: string;
  model: OpenInferenceModel;
  post(body: unknown, path?: string): Promise<Response>;
}

async function serve(
  options: Partial<OpenInferenceServerOptions> = {},
  limits: ModelLimits = {},
  clock: Clock = systemClock,
  classifier = brightness,
): Promise<Served> {
  const model = new OpenInferenceModel(classifier, limits, clock);
  const server = await startOpenInferenceServer({ model, ...options });
  return {
    url: server.url,
    model,
    post: (body, path = '/v2/models/brightness/infer') =>
      fetch(`${server.url}${path}`, { method: 'POST', body: typeof body === 'string' ? body : JSON.stringify(body) }),
    [Symbol.asyncDispose]: () => server.close(),
  };
}

const half = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5];
const request = (overrides: Record<string, unknown> = {}, rest: Record<string, unknown> = {}) => ({
  inputs: [{ name: 'images', datatype: 'FP32', shape: [1, 2, 3, 1], data: half, ...overrides }],
  ...rest,
});

function binaryBody(head: Record<string, unknown>, bytes: Uint8Array): { body: Uint8Array; headers: Headers } {
  const json = Buffer.from(JSON.stringify(head));
  return {
    body: Buffer.concat([json, bytes]),
    headers: new Headers({ 'inference-header-content-length': String(json.length) }),
  };
}

interface Answer {
  id?: string;
  error?: string;
  outputs: { name: string; shape: number[]; data?: number[]; parameters?: { binary_data_size: number } }[];
}

const errorOf = async (response: Response) => ((await response.json()) as Answer).error;

describe('open inference server over HTTP - what it says of itself', () => {
  it('names the server, its health, the model and its tensors', async () => {
    await using served = await serve();
    const get = async (path: string) => (await fetch(`${served.url}${path}`)).json();
    expect(await get('/v2')).toMatchObject({ extensions: ['binary_tensor_data', 'statistics'] });
    expect(await get('/v2/health/live')).toEqual({ live: true });
    expect(await get('/v2/health/ready')).toEqual({ ready: true });
    expect(await get('/v2/models/brightness/versions/2/ready')).toEqual({ name: 'brightness', ready: true });
    expect(await get('/v2/models/brightness')).toEqual({
      name: 'brightness',
      versions: ['2'],
      platform: 'test',
      inputs: [{ name: 'images', datatype: 'FP32', shape: [-1, 2, 3, 1] }],
      outputs: [{ name: 'probabilities', datatype: 'FP32', shape: [-1, 2] }],
    });
  });

  it('counts the images that it answered, not those that it refused', async () => {
    await using served = await serve();
    await served.post(request({ shape: [2, 2, 3, 1], data: [...half, ...half] }));
    await served.post(request());
    await served.post(request({ name: 'wrong' }));
    const stats = await (await fetch(`${served.url}/v2/models/brightness/stats`)).json();
    expect(stats).toEqual({
      model_stats: [{ name: 'brightness', version: '2', inference_count: 3, execution_count: 2, failure_count: 1 }],
    });
  });
});

describe('open inference server over HTTP - answers', () => {
  it('takes flat and nested JSON data, with and without the version, and keeps the id', async () => {
    await using served = await serve();
    const nested = [
      [
        [[0], [0], [0]],
        [[1], [1], [1]],
      ],
    ];
    const flat = await served.post(request({}, { id: 'a7' }), '/v2/models/brightness/versions/2/infer');
    expect(await flat.json()).toEqual({
      model_name: 'brightness',
      model_version: '2',
      id: 'a7',
      outputs: [{ name: 'probabilities', datatype: 'FP32', shape: [1, 2], data: [0.5, 0.5] }],
    });
    const fromNested = (await (await served.post(request({ data: nested }))).json()) as Answer;
    expect(fromNested.outputs[0]?.data).toEqual([0.5, 0.5]);
  });

  it('divides UINT8 by 255', async () => {
    await using served = await serve();
    const response = await served.post(request({ datatype: 'UINT8', data: [255, 255, 255, 0, 0, 0] }));
    expect(((await response.json()) as Answer).outputs[0]?.data).toEqual([0.5, 0.5]);
  });

  it('hands the bytes over as they are to a model that declares UINT8', async () => {
    const bytes: ServedClassifier = { ...brightness, input: { ...brightness.input, datatype: 'UINT8' } };
    await using served = await serve({}, {}, systemClock, bytes);
    const response = await served.post(request({ datatype: 'UINT8', data: [200, 200, 200, 200, 200, 200] }));
    expect(((await response.json()) as Answer).outputs[0]?.data).toEqual([200, -199]);
    expect((await served.post(request())).status).toBe(400);
  });

  it('takes and gives binary tensors', async () => {
    await using served = await serve();
    const values = new Float32Array([0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1]);
    const head = {
      inputs: [
        { name: 'images', datatype: 'FP32', shape: [2, 2, 3, 1], parameters: { binary_data_size: values.byteLength } },
      ],
      outputs: [{ name: 'probabilities', parameters: { binary_data: true } }],
    };
    const sent = binaryBody(head, new Uint8Array(values.buffer));
    const response = await fetch(`${served.url}/v2/models/brightness/infer`, { method: 'POST', ...sent });
    const bytes = Buffer.from(await response.arrayBuffer());
    const headLength = Number(response.headers.get('inference-header-content-length'));
    const answer = JSON.parse(bytes.subarray(0, headLength).toString()) as Answer;
    expect(answer.outputs[0]).toMatchObject({ shape: [2, 2], parameters: { binary_data_size: 16 } });
    const floats = [0, 4, 8, 12].map((at) => bytes.readFloatLE(headLength + at));
    expect(floats).toEqual([0, 1, 1, 0]);
  });

  it.each(['open-inference-http', 'open-inference-grpc'])('is understood by the adapter %s', async (adapter) => {
    const model = new OpenInferenceModel(brightness);
    const http = await startOpenInferenceServer({ model, token: 's3cret' });
    const grpc = await startOpenInferenceGrpcServer({ model, token: 's3cret' });
    const url = adapter === 'open-inference-http' ? http.url : `grpc://${grpc.address}`;
    const auth = { scheme: 'Bearer', env: 'TOKEN' };
    const config = parseTeacherConfig('mine', { adapter, url, model: 'brightness', version: '2', auth });
    const teacher = await openTeacher(config, { TOKEN: 's3cret' }, systemClock);
    try {
      const signal = new AbortController().signal;
      expect(await teacher.describe(signal)).toMatchObject({
        ready: true,
        classes: 2,
        inputShape: { height: 2, width: 3, channels: 1 },
      });
      const shape = { height: 2, width: 3, channels: 1 };
      const images: ImageBatch = {
        count: 2,
        shape,
        pixels: Uint8Array.from({ length: 12 }, (_, i) => (i < 6 ? 0 : 255)),
      };
      const outcome = await teacher.query(images, signal);
      expect(outcome).toMatchObject({
        kind: 'answered',
        answers: [
          { ok: true, raw: new Float32Array([0, 1]) },
          { ok: true, raw: new Float32Array([1, 0]) },
        ],
      });
      expect(model.stats.inferenceCount).toBe(2);
    } finally {
      await teacher.close();
      await http.close();
      await grpc.drain(DRAIN_MS);
    }
  });
});

describe('open inference server over HTTP - bad requests', () => {
  const six = { name: 'images', datatype: 'FP32', shape: [1, 2, 3, 1] };
  it.each([
    ['another input name', request({ name: 'x' }), 'there is no input "x": send "images"'],
    ['another output name', request({}, { outputs: [{ name: 'y' }] }), 'there is no output "y"'],
    ['an output without a name', request({}, { outputs: [{}] }), 'there is no output nothing'],
    ['a wrong rank', request({ shape: [1, 6] }), 'has shape [1,6]: send [N,2,3,1]'],
    ['a wrong size', request({ shape: [1, 3, 2, 1] }), 'has shape [1,3,2,1]: send [N,2,3,1]'],
    ['no images', request({ shape: [0, 2, 3, 1], data: [] }), 'has 0 images: send 1 to 4'],
    ['too many images', request({ shape: [5, 2, 3, 1] }), 'has 5 images: send 1 to 4'],
    ['half an image', request({ shape: [0.5, 2, 3, 1] }), 'has 0.5 images'],
    ['another datatype', request({ datatype: 'FP64' }), 'has datatype "FP64": send FP32 or UINT8'],
    ['too few values', request({ data: [1, 2] }), 'has 2 values where its shape needs 6'],
    [
      'nesting unlike the shape',
      request({
        data: [
          [
            [[0], [0]],
            [[1], [1]],
          ],
        ],
      }),
      'has 2 values at axis 2',
    ],
    ['a text among the values', request({ data: [0, 0, 'a', 0, 0, 0] }), 'holds "a" at 2, which is no number'],
    ['a value beyond a byte', request({ datatype: 'UINT8', data: [0, 0, 256, 0, 0, 0] }), 'holds 256 at 2'],
    ['no data', { inputs: [six] }, 'has no list of values as data'],
    ['two inputs', { inputs: [six, six] }, 'has 2 inputs: send one'],
    ['no inputs', {}, '"inputs" is not a list of objects'],
    ['an id that is no text', request({}, { id: 7 }), '"id" is not a text'],
    ['data both ways', request({ parameters: { binary_data_size: 24 } }), 'has both "data" and "binary_data_size"'],
    [
      'binary bytes that are not there',
      { inputs: [{ ...six, parameters: { binary_data_size: 24 } }] },
      '0 binary bytes are left',
    ],
    ['a list', [], 'the request is not a JSON object'],
    ['no JSON', '{"inputs"', 'the request is not JSON'],
    [
      'an infinite value',
      '{"inputs":[{"name":"images","datatype":"FP32","shape":[1,2,3,1],"data":[1e999,0,0,0,0,0]}]}',
      'holds Infinity at 0',
    ],
  ])('%s is a 400 that says what to send', async (_what, body, message) => {
    await using served = await serve({}, { maxBatch: 4 });
    const response = await served.post(body);
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toContain(message);
  });

  it.each([
    ['a header length beyond the body', '999', 24, 'but the body has'],
    ['a header length that is no number', '-1', 24, 'inference-header-content-length is "-1"'],
  ])('%s is a 400', async (_what, length, bytes, message) => {
    await using served = await serve();
    const sent = binaryBody({ inputs: [{ ...six, parameters: { binary_data_size: bytes } }] }, new Uint8Array(24));
    sent.headers.set('inference-header-content-length', length);
    const response = await fetch(`${served.url}/v2/models/brightness/infer`, { method: 'POST', ...sent });
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toContain(message);
  });

  it.each([
    ['fewer bytes than the shape needs', 20, 20, 'has 20 bytes where its shape and datatype FP32 need 24'],
    ['bytes that belong to no input', 24, 28, '4 binary bytes belong to no input'],
  ])('%s is a 400', async (_what, declared, bytes, message) => {
    await using served = await serve();
    const head = { inputs: [{ ...six, parameters: { binary_data_size: declared } }] };
    const sent = binaryBody(head, new Uint8Array(bytes));
    const response = await fetch(`${served.url}/v2/models/brightness/infer`, { method: 'POST', ...sent });
    expect(response.status).toBe(400);
    expect(await errorOf(response)).toContain(message);
  });

  it('refuses what is too long, compressed, elsewhere, or asked with the wrong method', async () => {
    await using served = await serve({ maxBodyBytes: 1000 });
    const tooLong = await served.post(' '.repeat(1001));
    expect([tooLong.status, await errorOf(tooLong)]).toEqual([413, expect.stringContaining('longer than 1000 bytes')]);
    const infer = `${served.url}/v2/models/brightness/infer`;
    const zipped = await fetch(infer, { method: 'POST', body: 'x', headers: { 'content-encoding': 'gzip' } });
    expect(zipped.status).toBe(415);
    const got = await fetch(infer);
    expect([got.status, got.headers.get('allow')]).toEqual([405, 'POST']);
    for (const path of [
      '/',
      '/v2/nothing',
      '/v2/models/other',
      '/v2/models/brightness/versions/1',
      '/v2/models/brightness/x',
    ]) {
      expect((await fetch(served.url + path)).status, path).toBe(404);
    }
    expect((await fetch(`${served.url}/v2/models/%E0%A4%A`)).status).toBe(400);
  });

  it('answers a failing model with 500 and lives on', async () => {
    const failing: ServedClassifier = { ...brightness, classify: () => Promise.reject(new Error('no memory')) };
    await using served = await serve({}, {}, systemClock, failing);
    const response = await served.post(request());
    expect([response.status, await errorOf(response)]).toEqual([500, 'no memory']);
    expect((await fetch(`${served.url}/v2/health/live`)).status).toBe(200);
  });
});

describe('open inference server over HTTP - stopping', () => {
  it('answers what is under way, then takes nothing more', async () => {
    const entered = new EventEmitter();
    const hasEntered = once(entered, 'classify');
    let release = (): void => undefined;
    const released = new Promise<void>((resolve) => (release = resolve));
    const slow: ServedClassifier = {
      ...brightness,
      async classify(images, count) {
        entered.emit('classify');
        await released;
        return brightness.classify(images, count);
      },
    };
    const server = await startOpenInferenceServer({ model: new OpenInferenceModel(slow) });
    const url = `${server.url}/v2/models/brightness/infer`;
    const asked = fetch(url, { method: 'POST', body: JSON.stringify(request()) });
    await hasEntered;
    const closed = server.close();
    release();
    const response = await asked;
    expect([response.status, response.headers.get('connection')]).toEqual([200, 'close']);
    await closed;
    await expect(fetch(url)).rejects.toThrow('fetch failed');
  });

  it('cuts a request that never ends', async () => {
    const clock = new ManualClock();
    const server = await startOpenInferenceServer({ model: new OpenInferenceModel(brightness), clock });
    const socket = connectTcp(Number(new URL(server.url).port), '127.0.0.1');
    await once(socket, 'connect');
    socket.write(
      'POST /v2/models/brightness/infer HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\nexpect: 100-continue\r\n\r\n',
    );
    // The server's word that it has begun to read.
    await once(socket, 'data');
    const cut = once(socket, 'close');
    const closed = server.close();
    await clock.advance(CLOSE_GRACE_MS);
    await Promise.all([closed, cut]);
  });
});

describe('open inference server - who may ask, and how much', () => {
  it('wants the token everywhere but at the health checks', async () => {
    await using served = await serve({ token: 's3cret' });
    const asking = (authorization?: string) =>
      fetch(`${served.url}/v2/models/brightness`, { headers: authorization ? { authorization } : {} });
    const refused = await asking();
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer']);
    expect((await asking('Bearer wrong')).status).toBe(401);
    expect((await asking('Bearer s3cret')).status).toBe(200);
    expect((await fetch(`${served.url}/v2/health/ready`)).status).toBe(200);
  });

  it('refuses to listen beyond loopback without a token', async () => {
    const model = new OpenInferenceModel(brightness);
    await expect(startOpenInferenceServer({ model, host: '0.0.0.0' })).rejects.toThrow(ConfigError);
    await expect(startOpenInferenceGrpcServer({ model, address: '0.0.0.0:0' })).rejects.toThrow(ConfigError);
  });

  it('says when its port is taken', async () => {
    await using served = await serve();
    const port = Number(new URL(served.url).port);
    await expect(startOpenInferenceServer({ model: served.model, port })).rejects.toThrow(UnavailableError);
  });

  it('answers 429 with Retry-After until the bucket has filled again', async () => {
    const clock = new ManualClock();
    await using served = await serve({}, { imagesPerSecond: 2 }, clock);
    const two = request({ shape: [2, 2, 3, 1], data: [...half, ...half] });
    expect((await served.post(two)).status).toBe(200);
    const refused = await served.post(two);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, '1']);
    await clock.advance(999);
    expect((await served.post(two)).status).toBe(429);
    await clock.advance(1);
    expect((await served.post(two)).status).toBe(200);
    expect(served.model.stats.inferenceCount).toBe(4);
  });

  it('refuses limits that make no sense', () => {
    expect(() => new OpenInferenceModel(brightness, { imagesPerSecond: 0 })).toThrow('it must be above 0');
    expect(() => new OpenInferenceModel(brightness, { maxBatch: 1.5 })).toThrow('maxBatch is 1.5');
  });
});

describe('open inference server over gRPC', () => {
  const shape = [1, 2, 3, 1];
  async function grpcServed(limits: ModelLimits = {}) {
    const model = new OpenInferenceModel(brightness, limits, new ManualClock());
    const server = await startOpenInferenceGrpcServer({ model });
    const client = connect(SERVICE, server.address);
    return {
      client,
      model,
      async [Symbol.asyncDispose]() {
        client.close();
        await server.drain(DRAIN_MS);
      },
    };
  }
  const typed = { name: 'images', datatype: 'FP32', shape, contents: { fp32Contents: half } };

  it('answers typed contents with typed ones and raw with raw', async () => {
    await using served = await grpcServed();
    const fromTyped = await served.client.unary('ModelInfer', { modelName: 'brightness', inputs: [typed], id: 'q' });
    expect(fromTyped.id).toBe('q');
    expect(fromTyped.outputs[0]?.contents?.fp32Contents).toEqual([0.5, 0.5]);
    const fromRaw = await served.client.unary('ModelInfer', {
      modelName: 'brightness',
      inputs: [{ name: 'images', datatype: 'UINT8', shape }],
      rawInputContents: [Buffer.from([255, 255, 255, 255, 255, 255])],
    });
    expect(fromRaw.outputs[0]).toMatchObject({ name: 'probabilities', datatype: 'FP32', shape: [1, 2] });
    expect([0, 4].map((at) => fromRaw.rawOutputContents[0]?.readFloatLE(at))).toEqual([1, 0]);
    const bytes = { ...typed, datatype: 'UINT8', contents: { uintContents: [0, 0, 0, 0, 0, 0] } };
    const fromBytes = await served.client.unary('ModelInfer', { modelName: 'brightness', inputs: [bytes] });
    expect(fromBytes.outputs[0]?.contents?.fp32Contents).toEqual([0, 1]);
  });

  it('says that it lives and what the model is', async () => {
    await using served = await grpcServed();
    expect(await served.client.unary('ServerLive', {})).toEqual({ live: true });
    expect(await served.client.unary('ServerReady', {})).toEqual({ ready: true });
    expect(await served.client.unary('ModelReady', { name: 'brightness' })).toEqual({ ready: true });
    expect(await served.client.unary('ServerMetadata', {})).toMatchObject({ name: 'bbdistill' });
    const metadata = await served.client.unary('ModelMetadata', { name: 'brightness', version: '2' });
    expect(metadata.inputs[0]?.shape).toEqual([-1, 2, 3, 1]);
  });

  it.each([
    ['another model', { modelName: 'x', inputs: [typed] }, 'there is no model "x"'],
    ['another version', { modelName: 'brightness', modelVersion: '9', inputs: [typed] }, 'no version "9"'],
    [
      'too few values',
      { modelName: 'brightness', inputs: [{ ...typed, contents: { fp32Contents: [1] } }] },
      'has 1 values',
    ],
    ['no contents', { modelName: 'brightness', inputs: [{ ...typed, contents: null }] }, 'has 0 values'],
    [
      'raw contents of another length',
      { modelName: 'brightness', inputs: [{ ...typed, contents: null }], rawInputContents: [Buffer.alloc(3)] },
      'has 3 bytes',
    ],
    [
      'more raw contents than inputs',
      { modelName: 'brightness', inputs: [typed], rawInputContents: [Buffer.alloc(24), Buffer.alloc(24)] },
      '2 entries for 1 inputs',
    ],
    [
      'contents both ways',
      { modelName: 'brightness', inputs: [typed], rawInputContents: [Buffer.alloc(24)] },
      'both contents and raw contents',
    ],
  ])('%s is refused with a reason', async (_what, message, reason) => {
    await using served = await grpcServed();
    await expect(served.client.unary('ModelInfer', message)).rejects.toThrow(reason);
  });

  it('answers RESOURCE_EXHAUSTED with the time to wait', async () => {
    await using served = await grpcServed({ imagesPerSecond: 1 });
    const ask = () => served.client.unary('ModelInfer', { modelName: 'brightness', inputs: [typed] });
    await ask();
    const refused = await ask().catch((error: unknown) => error);
    expect(refused).toBeInstanceOf(BbdError);
    expect(refused).toMatchObject({ kind: 'resource-exhausted', retryAfterMs: 1000 });
  });
});

describe('open inference server over HTTP - fuzzed', () => {
  it('answers 1000 damaged requests with 4xx and JSON, and goes on', async () => {
    const json = Buffer.from(
      JSON.stringify(request({ shape: [1, 2, 3, 1] }, { outputs: [{ name: 'probabilities' }] })),
    );
    const floats = new Uint8Array(new Float32Array(half).buffer);
    const binary = binaryBody(
      { inputs: [{ name: 'images', datatype: 'FP32', shape: [1, 2, 3, 1], parameters: { binary_data_size: 24 } }] },
      floats,
    );
    await using served = await serve({ maxBodyBytes: 4096 });
    let refused = 0;
    for (let n = 0; n < 1000; n++) {
      const random = new RandomStream(1, 'fuzz', n);
      const isBinary = random.integer(2) === 1;
      const body = damaged(isBinary ? binary.body : json, random);
      const headers = new Headers(isBinary ? binary.headers : {});
      if (isBinary && random.integer(4) === 0) {
        headers.set('inference-header-content-length', String(random.integer(400) - 100));
      }
      const response = await fetch(`${served.url}/v2/models/brightness/infer`, { method: 'POST', body, headers });
      const answer = (await response.json()) as Answer;
      if (response.status === 200) continue;
      refused += 1;
      expect([400, 413], `request ${n}: ${answer.error}`).toContain(response.status);
      expect(answer.error, `request ${n}`).toBeTypeOf('string');
    }
    // Some damage leaves a request whole, e.g. another digit among the pixels.
    expect(refused).toBeGreaterThan(700);
    expect((await served.post(request())).status).toBe(200);
  });

  it('answers what is not HTTP with 400 and JSON', async () => {
    await using served = await serve();
    const { port } = new URL(served.url);
    for (let n = 0; n < 50; n++) {
      const random = new RandomStream(2, 'fuzz', n);
      const socket = connectTcp(Number(port), '127.0.0.1');
      let text = '';
      socket.setEncoding('latin1').on('data', (chunk: string) => (text += chunk));
      socket.write(Uint8Array.from({ length: 1 + random.integer(300) }, () => random.integer(256)));
      socket.write('\r\n\r\n');
      await once(socket, 'close');
      expect(text, `bytes ${n}`).toMatch(
        /^HTTP\/1\.1 400 Bad Request\r\n[^]*\{"error":"this is not an HTTP request"\}$/,
      );
    }
    expect((await served.post(request())).status).toBe(200);
  });
});

/** Flips, cuts, doubles or inserts bytes. */
function damaged(body: Uint8Array, random: RandomStream): Uint8Array<ArrayBuffer> {
  let bytes = Array.from(body);
  for (let change = 0; change <= random.integer(3); change++) {
    const at = random.integer(Math.max(1, bytes.length));
    switch (random.integer(4)) {
      case 0:
        bytes[at] = random.integer(256);
        break;
      case 1:
        bytes = bytes.slice(0, at);
        break;
      case 2:
        bytes = [...bytes.slice(0, at), ...bytes];
        break;
      default:
        bytes.splice(at, 0, random.integer(256), random.integer(256));
    }
  }
  return Uint8Array.from(bytes);
}
