import { sha256Hex } from '@bbdistill/common';
import { createEngine, networkByName, DEFAULT_ADAM, decodeWeights, encodeWeights } from '@bbdistill/compute';
import type { TrainedWeights } from '@bbdistill/compute';
import * as tf from '@tensorflow/tfjs';
import * as ort from 'onnxruntime-node';
import { beforeAll, describe, expect, it } from 'vitest';
import { tinyImages } from '../../../test/helpers/tiny-images.js';
import { exportStudent } from './export.js';

const shape = { height: 14, width: 15, channels: 3 };
let trained: TrainedWeights;
let byEngine: Float32Array;
const images = Uint8Array.from({ length: 4 * 14 * 15 * 3 }, (_, p) => (p * 37) % 256);

beforeAll(async () => {
  const engine = await createEngine('wasm', 'never');
  const network = networkByName('lenet5-half', shape, 5);
  const loss = { balance: 0, temperature: 1 };
  const student = engine.createClassifier({ network, batch: 1, seed: 4, loss, optimiser: DEFAULT_ADAM });
  const weights = student.weights();
  weights.forEach(({ name, data }) => {
    // Zero biases would hide that one is in the wrong place.
    if (name.endsWith('/bias')) data.forEach((_, at) => (data[at] = Math.sin(at + 1) / 4));
  });
  student.setWeights(weights);
  byEngine = student.predict(images, 4);
  trained = decodeWeights(encodeWeights({ network: 'lenet5-half', classes: 5, shape, weights }));
});

const options = { name: 'demo', classNames: ['a', 'b', 'c', 'd', 'e'], data: undefined };
const scaled = () => Float32Array.from(images, (value) => value / 255);

function file(path: string): Uint8Array {
  const found = exportStudent(trained, options).find((other) => other.path === path);
  if (!found) throw new Error(`no file ${path}`);
  return found.bytes;
}

function expectSame(found: Float32Array): void {
  expect(found).toHaveLength(byEngine.length);
  found.forEach((value, at) => expect(Math.abs(value - byEngine[at]!)).toBeLessThan(1e-5));
}

describe('bundle - models', () => {
  it('ONNX Runtime answers as the engine does, to 1e-5', async () => {
    const session = await ort.InferenceSession.create(file('student/model.onnx'));
    const answers = await session.run({ images: new ort.Tensor('float32', scaled(), [4, 14, 15, 3]) });
    expectSame(answers['probabilities']!.data as Float32Array);
  });

  it('tfjs answers as the engine does, to 1e-5', async () => {
    const json = JSON.parse(new TextDecoder().decode(file('student/model.json'))) as {
      modelTopology: object;
      weightsManifest: [{ weights: tf.io.WeightsManifestEntry[] }];
    };
    await tf.setBackend('cpu');
    const model = await tf.loadLayersModel(
      tf.io.fromMemory({
        modelTopology: json.modelTopology,
        weightSpecs: json.weightsManifest[0].weights,
        weightData: file('student/weights.bin').buffer as ArrayBuffer,
      }),
    );
    expectSame((await (model.predict(tf.tensor4d(scaled(), [4, 14, 15, 3])) as tf.Tensor).data()) as Float32Array);
  });
});

describe('bundle - files', () => {
  it('come with a manifest that says how to feed the models', () => {
    const manifest = JSON.parse(new TextDecoder().decode(file('student/manifest.json'))) as object;
    expect(manifest).toMatchObject({
      schema: 1,
      name: 'demo',
      network: 'lenet5-half',
      input: { layout: 'NHWC', scale: '1/255', height: 14, width: 15, channels: 3 },
      classNames: ['a', 'b', 'c', 'd', 'e'],
      softLabels: 0,
    });
  });

  it('have the soft labels where the answers are given', () => {
    const { count, classes, targets } = tinyImages(6);
    const data = { count, classes, targets, hashes: new Uint8Array(32 * count) };
    const paths = exportStudent(trained, { ...options, classNames: [], data }).map(({ path }) => path);
    expect(paths).toEqual([
      'student/model.json',
      'student/weights.bin',
      'student/model.onnx',
      'student/manifest.json',
      'student/soft-labels.jsonl',
    ]);
  });

  it('are the same bytes every time', () => {
    const hashes = () => exportStudent(trained, options).map(({ bytes }) => sha256Hex(bytes));
    expect(hashes()).toEqual(hashes());
  });
});
