import { DataLossError, RandomStream, encodeTensors, pixelsPerImage } from '@bbdistill/common';
import * as tf from '@tensorflow/tfjs';
import * as ort from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { DEFAULT_ADAM } from '../engine.js';
import type { NetworkSpec, WeightTensor } from '../engine.js';
import { createWasmEngine } from '../engines/wasm.js';
import { networkTensors } from '../network-shapes.js';
import { networkByName } from '../networks.js';
import { ONNX_INPUT, ONNX_OUTPUT, encodeOnnx } from './onnx.js';
import { encodeSoftLabels } from './soft-labels.js';
import { encodeTfjs } from './tfjs.js';
import { decodeWeights, encodeWeights } from './weights.js';

const colour = { height: 16, width: 18, channels: 3 };
const everyLayer: NetworkSpec = {
  name: 'every-layer',
  input: { height: 9, width: 10, channels: 3 },
  classes: 4,
  layers: [
    { kind: 'conv2d', name: 'a', filters: 5, kernelSize: [2, 3], strides: [1, 2], padding: 'same', activation: 'relu' },
    {
      kind: 'conv2d-transpose',
      name: 'b',
      filters: 3,
      kernelSize: 4,
      strides: 2,
      padding: 'same',
      activation: 'sigmoid',
    },
    {
      kind: 'conv2d-transpose',
      name: 'c',
      filters: 3,
      kernelSize: 2,
      strides: 3,
      padding: 'valid',
      activation: 'relu',
    },
    { kind: 'max-pool2d', name: 'd', poolSize: 3, strides: 2, padding: 'same' },
    { kind: 'average-pool2d', name: 'e', poolSize: 2, strides: 3, padding: 'same' },
    { kind: 'batch-norm', name: 'f', epsilon: 0.01 },
    { kind: 'conv2d', name: 'g', filters: 3, kernelSize: 1, padding: 'valid', activation: 'linear', useBias: false },
    { kind: 'add', name: 'h', inputs: ['g', 'f', 'e'] },
    { kind: 'activation', name: 'i', activation: 'softmax' },
    { kind: 'concat', name: 'j', inputs: ['h', 'i', 'f'] },
    { kind: 'reshape', name: 'k', shape: { height: 9, width: 1, channels: 45 } },
    { kind: 'activation', name: 'l', activation: 'sigmoid' },
    { kind: 'dropout', name: 'm', rate: 0.5 },
    { kind: 'flatten', name: 'n' },
    { kind: 'dense', name: 'o', units: 6, activation: 'relu', useBias: false },
    { kind: 'batch-norm', name: 'p' },
    { kind: 'dense', name: 'logits', units: 4, activation: 'linear' },
  ],
};

/** A user's layers may be called what the exported graphs call their own. */
const namesOfOurs: NetworkSpec = {
  name: 'names-of-ours',
  input: { height: 6, width: 5, channels: 2 },
  classes: 3,
  layers: [
    { kind: 'conv2d', name: 'images', filters: 4, kernelSize: 3, padding: 'same', activation: 'relu' },
    { kind: 'activation', name: 'images/relu', activation: 'sigmoid' },
    { kind: 'conv2d', name: 'to-nchw', filters: 4, kernelSize: 1, padding: 'valid', activation: 'relu' },
    { kind: 'activation', name: 'to-nchw/relu', activation: 'sigmoid' },
    { kind: 'batch-norm', name: 'to-nchw/kernel' },
    { kind: 'add', name: 'sum', inputs: ['images/relu', 'to-nchw/kernel', 'to-nchw/relu', 'to-nchw'] },
    { kind: 'activation', name: 'sum/1', activation: 'relu' },
    { kind: 'activation', name: 'images_2', activation: 'sigmoid' },
    { kind: 'reshape', name: 'shaped', shape: { height: 5, width: 6, channels: 4 } },
    { kind: 'activation', name: 'shaped/shape', activation: 'relu' },
    { kind: 'conv2d', name: 'probabilities', filters: 3, kernelSize: 2, padding: 'valid', activation: 'linear' },
    { kind: 'global-average-pool2d', name: 'probabilities_2' },
  ],
};

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

async function byOnnx(of: NetworkSpec, weights: WeightTensor[], images: Float32Array): Promise<Float32Array> {
  const session = await ort.InferenceSession.create(encodeOnnx(of, weights));
  const answers = await session.run({ [ONNX_INPUT]: new ort.Tensor('float32', images, batchShape(of, images)) });
  return answers[ONNX_OUTPUT]!.data as Float32Array;
}

async function byTfjs(of: NetworkSpec, weights: WeightTensor[], images: Float32Array): Promise<Float32Array> {
  const { modelJson, weightsBin } = encodeTfjs(of, weights);
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
  const answers = model.predict(tf.tensor4d(images, batchShape(of, images))) as tf.Tensor;
  return (await answers.data()) as Float32Array;
}

function batchShape({ input: { height, width, channels } }: NetworkSpec, images: Float32Array) {
  const shape: [number, number, number, number] = [
    images.length / (height * width * channels),
    height,
    width,
    channels,
  ];
  return shape;
}

/** Weights as a training could leave them: of batch norm, too, no tensor is as it was at first. */
function trainedWeights(of: NetworkSpec): WeightTensor[] {
  const random = new RandomStream(3, of.name);
  return networkTensors(of).map(({ name, shape, fanIn }) => {
    const scale = fanIn > 0 ? Math.sqrt(3 / fanIn) : 0.3;
    const offset = /gamma|variance/.test(name) ? 1 : 0;
    const length = shape.reduce((a, b) => a * b, 1);
    return { name, shape, data: Float32Array.from({ length }, () => offset + random.between(-scale, scale)) };
  });
}

describe('export - models', () => {
  it.each([
    network,
    everyLayer,
    namesOfOurs,
    networkByName('alexnet-half', colour, 4),
    networkByName('resnet20', colour, 4),
    networkByName('lenet5', colour, 4),
  ])('$name answers in ONNX Runtime and tfjs as in the engine', async (of) => {
    const count = 3;
    const random = new RandomStream(4, 'images');
    const bytes = Uint8Array.from({ length: count * pixelsPerImage(of.input) }, () => random.integer(256));
    const images = Float32Array.from(bytes, (value) => value / 255);
    const weights = trainedWeights(of);
    const loss = { balance: 0, temperature: 1 };
    const classifier = createWasmEngine().createClassifier({
      ...{ network: of, batch: 2, seed: 1, loss, optimiser: DEFAULT_ADAM },
    });
    classifier.setWeights(weights);
    const expected = classifier.predict(bytes, count);
    expect(new Set(Array.from(expected, (value) => Math.round(value * 1e4))).size).toBeGreaterThan(4);
    for (const answers of [await byOnnx(of, weights, images), await byTfjs(of, weights, images)]) {
      expect(answers).toHaveLength(expected.length);
      expected.forEach((value, at) => expect(Math.abs(answers[at]! - value)).toBeLessThan(1e-5));
    }
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
      hashes: Uint8Array.from({ length: 64 }, (_, at) => at),
      targets: Float32Array.of(0.1, 0.9, 1, 0),
      classNames: ['cat', 'dog'],
    };
    const lines = new TextDecoder().decode(encodeSoftLabels(labels)).trimEnd().split('\n');
    const [first, second] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines).toHaveLength(2);
    expect(first).toMatchObject({
      index: 0,
      class: 'dog',
      sha256: '000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f',
    });
    expect((first!['probabilities'] as number[]).map(Math.fround)).toEqual([Math.fround(0.1), Math.fround(0.9)]);
    expect(second).toMatchObject({ index: 1, class: 'cat', probabilities: [1, 0] });
    const unnamed = new TextDecoder().decode(encodeSoftLabels({ ...labels, classNames: [] }));
    expect(unnamed).toContain('"class":"1"');
  });

  it('are all there where they are more than are written at once', () => {
    const count = 2500;
    const labels = { count, classes: 1, hashes: new Uint8Array(32 * count), targets: new Float32Array(count).fill(1) };
    const lines = new TextDecoder().decode(encodeSoftLabels({ ...labels, classNames: [] })).split('\n');
    expect(lines.pop()).toBe('');
    expect(lines.map((line) => (JSON.parse(line) as { index: number }).index)).toEqual(
      Array.from({ length: count }, (_, n) => n),
    );
  });
});
