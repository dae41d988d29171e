import { DataLossError, RandomStream, encodeTensors } from '@bbdistill/common';
import * as tf from '@tensorflow/tfjs';
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import type { NetworkSpec, WeightTensor } from '../engine.js';
import { ONNX_INPUT, ONNX_OUTPUT, encodeOnnx } from './onnx.js';
import { encodeSoftLabels } from './soft-labels.js';
import { encodeTfjs } from './tfjs.js';
import { decodeWeights, encodeWeights } from './weights.js';

const network: NetworkSpec = {
  name: 'tiny',
  input: { height: 12, width: 10, channels: 3 },
  classes: 4,
  layers: [
    { kind: 'conv2d', name: 'conv_1', filters: 3, kernelSize: 3, padding: 'valid', activation: 'relu' },
    { kind: 'max-pool2d', name: 'pool_1', poolSize: 2 },
    { kind: 'conv2d', name: 'conv_2', filters: 5, kernelSize: 4, padding: 'same', activation: 'linear' },
    { kind: 'flatten', name: 'flatten' },
    { kind: 'dense', name: 'dense_1', units: 7, activation: 'sigmoid' },
    { kind: 'dense', name: 'logits', units: 4, activation: 'linear' },
  ],
};

function randomWeights(): WeightTensor[] {
  const random = new RandomStream(3, 'weights');
  const shapes: [string, number[]][] = [
    ['conv_1/kernel', [3, 3, 3, 3]],
    ['conv_1/bias', [3]],
    ['conv_2/kernel', [4, 4, 3, 5]],
    ['conv_2/bias', [5]],
    ['dense_1/kernel', [5 * 4 * 5, 7]],
    ['dense_1/bias', [7]],
    ['logits/kernel', [7, 4]],
    ['logits/bias', [4]],
  ];
  return shapes.map(([name, shape]) => ({
    name,
    shape,
    data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.between(-0.5, 0.5)),
  }));
}

function someImages(count: number): Float32Array {
  const random = new RandomStream(4, 'images');
  return Float32Array.from({ length: count * 360 }, () => random.integer(256) / 255);
}

async function byOnnx(images: Float32Array, count: number): Promise<Float32Array> {
  const session = await ort.InferenceSession.create(encodeOnnx(network, randomWeights()));
  const answers = await session.run({ [ONNX_INPUT]: new ort.Tensor('float32', images, [count, 12, 10, 3]) });
  return answers[ONNX_OUTPUT]!.data as Float32Array;
}

async function byTfjs(images: Float32Array, count: number): Promise<Float32Array> {
  const { modelJson, weightsBin } = encodeTfjs(network, randomWeights());
  const json = JSON.parse(new TextDecoder().decode(modelJson)) as {
    modelTopology: object;
    weightsManifest: [{ weights: tf.io.WeightsManifestEntry[] }];
  };
  await tf.setBackend('cpu');
  const model = await tf.loadLayersModel(
    tf.io.fromMemory({
      modelTopology: json.modelTopology,
      weightSpecs: json.weightsManifest[0].weights,
      weightData: weightsBin.buffer as ArrayBuffer,
    }),
  );
  const answers = model.predict(tf.tensor4d(images, [count, 12, 10, 3])) as tf.Tensor;
  return (await answers.data()) as Float32Array;
}

describe('export - models', () => {
  it('ONNX Runtime and tfjs read the same network from their files', async () => {
    const images = someImages(5);
    const onnx = await byOnnx(images, 5);
    const tfjs = await byTfjs(images, 5);
    expect(onnx).toHaveLength(20);
    for (let at = 0; at < onnx.length; at++) expect(Math.abs(onnx[at]! - tfjs[at]!)).toBeLessThan(1e-5);
    expect(new Set(onnx.map((value) => Math.round(value * 1e4))).size).toBeGreaterThan(8);
  });

  it('gives the same bytes every time', () => {
    expect(encodeOnnx(network, randomWeights())).toEqual(encodeOnnx(network, randomWeights()));
    expect(encodeTfjs(network, randomWeights())).toEqual(encodeTfjs(network, randomWeights()));
  });

  it('refuses weights that lack a layer', () => {
    const few = randomWeights().filter(({ name }) => name !== 'conv_2/bias');
    expect(() => encodeOnnx(network, few)).toThrow(/lack the tensor conv_2\/bias/);
    expect(() => encodeTfjs(network, few)).toThrow(DataLossError);
  });
});

describe('export - weights', () => {
  it('come back with network, classes and shape', () => {
    const trained = { network: 'tiny', classes: 4, shape: network.input, weights: randomWeights() };
    const back = decodeWeights(encodeWeights(trained));
    expect({ ...back, weights: [] }).toEqual({ ...trained, weights: [] });
    const byName = (a: WeightTensor, b: WeightTensor) => (a.name < b.name ? -1 : 1);
    expect(back.weights.sort(byName)).toEqual(trained.weights.sort(byName));
  });

  it('are not read from a file of something else', () => {
    const other = encodeTensors({ metadata: {}, tensors: {} });
    expect(() => decodeWeights(other)).toThrow(/holds no trained student: its format is not named/);
  });
});

describe('export - soft labels', () => {
  it('are one JSON line an image, with class names where there are any', () => {
    const labels = {
      count: 2,
      classes: 2,
      shape: { height: 1, width: 1, channels: 1 },
      pixels: Uint8Array.of(0, 255),
      targets: Float32Array.of(0.1, 0.9, 1, 0),
      classNames: ['cat', 'dog'],
    };
    const lines = new TextDecoder().decode(encodeSoftLabels(labels)).trimEnd().split('\n');
    const [first, second] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toHaveLength(2);
    expect(first).toMatchObject({
      index: 0,
      class: 'dog',
      sha256: '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    });
    expect((first!['probabilities'] as number[]).map(Math.fround)).toEqual([Math.fround(0.1), Math.fround(0.9)]);
    expect(second).toMatchObject({ index: 1, class: 'cat', probabilities: [1, 0] });
    const unnamed = new TextDecoder().decode(encodeSoftLabels({ ...labels, classNames: [] }));
    expect(unnamed).toContain('"class":"1"');
  });
});
