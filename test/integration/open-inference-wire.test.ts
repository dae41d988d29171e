import { fileURLToPath } from 'node:url';
import { systemClock } from '@bbdistill/common';
import type { ImageBatch } from '@bbdistill/common';
import { normaliseAnswer, openTeacher, parseTeacherConfig } from '@bbdistill/teacher-proxy';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startOpenInferenceGrpcServer } from '../../services/cli/src/teacher/open-inference-grpc-server.js';
import { OpenInferenceModel } from '../../services/cli/src/teacher/open-inference-model.js';
import { startChild } from '../helpers/child.js';
import type { Child } from '../helpers/child.js';
import { describeWithPythonGrpc } from '../helpers/python-grpc.js';

const PEER = fileURLToPath(new URL('../fixtures/wire/open_inference_peer.py', import.meta.url));
const START_TIMEOUT_MS = 60_000;
const DRAIN_MS = 1000;
const signal = () => AbortSignal.timeout(30_000);

/** Two images of 2x3: brightness 0.4 and 0.8. */
const images: ImageBatch = {
  count: 2,
  shape: { height: 2, width: 3, channels: 1 },
  pixels: Uint8Array.from([102, 102, 102, 102, 102, 102, 204, 204, 204, 204, 204, 204]),
};

describeWithPythonGrpc('open inference over gRPC - against Python', (python) => {
  let server: Child;
  let url: string;

  beforeAll(async () => {
    server = startChild(python, [PEER, 'serve']);
    url = (await server.line(/^serving (.+)$/, START_TIMEOUT_MS))[1]!;
  }, START_TIMEOUT_MS);

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  async function ask(declared: object, env = {}) {
    const config = parseTeacherConfig('peer', { adapter: 'open-inference-grpc', url, ...declared });
    const teacher = await openTeacher(config, env, systemClock);
    try {
      const facts = await teacher.describe(signal());
      const outcome = await teacher.query(images, signal());
      if (outcome.kind !== 'answered') return { facts, outcome, rows: [] };
      const rows = outcome.answers.map((answer) => {
        if (!answer.ok) return answer.message;
        const target = new Float32Array(2);
        const result = normaliseAnswer(answer.raw, target, teacher.answer);
        return result.ok ? Array.from(target) : result.message;
      });
      return { facts, outcome, rows };
    } finally {
      await teacher.close();
    }
  }

  it.each<[string, object]>([
    ['raw FP32 both ways', { model: 'raw' }],
    ['typed answers', { model: 'typed' }],
    ['typed requests', { model: 'raw', input: { contents: 'typed' } }],
    ['typed UINT8', { model: 'raw', input: { contents: 'typed', datatype: 'UINT8' } }],
    ['raw UINT8', { model: 'raw', input: { datatype: 'UINT8' } }],
    ['half floats both ways', { model: 'half', input: { datatype: 'FP16' } }],
    ['doubles', { model: 'double' }],
    [
      "Triton's classification extension",
      { model: 'raw', answer: { classification: 2, labels: ['bright', 'dark'] }, input: { name: 'images' } },
    ],
  ])('our adapter - %s', async (_, declared) => {
    const { facts, rows } = await ask(declared);
    expect(facts).toMatchObject({ ready: true, classes: 2, inputShape: { height: 2, width: 3, channels: 1 } });
    expect(rows).toHaveLength(2);
    [0.4, 0.8].forEach((mean, n) => {
      expect(rows[n]![0]).toBeCloseTo(mean, 3);
      expect(rows[n]![1]).toBeCloseTo(1 - mean, 3);
    });
  });

  it.each([{}, { contents: 'typed' }])('our adapter - pictures as bytes %j', async (form) => {
    const { rows } = await ask({ model: 'raw', input: { datatype: 'BYTES', ...form } });
    expect(rows[0]![0]).toBeCloseTo(0.2, 5);
  });

  it('our adapter - RESOURCE_EXHAUSTED with RetryInfo is throttled for so long', async () => {
    const { outcome } = await ask({ model: 'throttled' });
    expect(outcome).toMatchObject({ kind: 'throttled', reason: 'rate', retryAfterMs: 1250 });
  });

  it('our adapter - the secret travels, and is missed', async () => {
    const auth = { header: 'X-Key', env: 'KEY' };
    expect((await ask({ model: 'secret', auth }, { KEY: 'k3y-k3y' })).outcome).toMatchObject({ kind: 'answered' });
    expect((await ask({ model: 'secret', auth }, { KEY: 'wrong-key' })).outcome).toMatchObject({
      kind: 'refused',
      code: 'TEACHER_AUTH',
    });
  });

  it('our server - is understood by a client of another make', async () => {
    const model = new OpenInferenceModel({
      name: 'brightness',
      version: '2',
      platform: 'test',
      input: { name: 'images', dims: [2, 3, 1], datatype: 'FP32' },
      output: { name: 'probabilities', classes: 2 },
      async classify(pixels, count) {
        const means = Array.from({ length: count }, (_, n) => pixels[n * 6]!);
        return Float32Array.from(means.flatMap((mean) => [mean, 1 - mean]));
      },
    });
    const ours = await startOpenInferenceGrpcServer({ model });
    try {
      await using client = startChild(python, [PEER, 'ask', ours.address, 'brightness']);
      const [line] = await client.line(/^\{.*$/, START_TIMEOUT_MS);
      const values = [0, 1, 1, 0];
      expect(JSON.parse(line)).toEqual({
        live: true,
        ready: true,
        inputs: [['images', 'FP32', [-1, 2, 3, 1]]],
        outputs: [['probabilities', 'FP32', [-1, 2]]],
        raw: { shape: [2, 2], values, raw: true },
        typed: { shape: [2, 2], values, raw: false },
        uint8: { shape: [2, 2], values, raw: false },
        unknown: 'NOT_FOUND',
      });
    } finally {
      await ours.drain(DRAIN_MS);
    }
  });
});
