import { RandomStream } from '@bbdistill/common';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_ADAM } from '../engine.js';
import type { NetworkSpec, WeightTensor } from '../engine.js';
import { createWasmEngine } from '../engines/wasm.js';
import { encodeOnnx } from '../export/onnx.js';
import { encodeTfjs } from '../export/tfjs.js';
import { NETWORK_NAMES, networkByName } from '../networks.js';
import { studentNetwork } from '../student-network.js';
import { TopologyLayerError } from './keras-config.js';
import { MAX_TOPOLOGY_BYTES, networkFromTopology, topologyOf } from './topology.js';

const COUNT = 5;
const engine = createWasmEngine();

beforeAll(async () => {
  await tf.setBackend('cpu');
});

const { layers: l } = tf;

function chain(): tf.LayersModel {
  return tf.sequential({
    name: 'chain',
    layers: [
      l.conv2d({ inputShape: [11, 10, 3], filters: 4, kernelSize: [3, 2], padding: 'same', activation: 'relu' }),
      l.maxPooling2d({ poolSize: 2 }),
      l.conv2d({ filters: 6, kernelSize: 3, strides: [2, 1], useBias: false, kernelInitializer: 'heNormal' }),
      l.batchNormalization({ momentum: 0.9, epsilon: 0.01 }),
      l.activation({ activation: 'sigmoid' }),
      l.averagePooling2d({ poolSize: [1, 2], strides: 1, padding: 'same' }),
      l.dropout({ rate: 0.3 }),
      l.flatten(),
      l.dense({ units: 7, activation: 'sigmoid', kernelRegularizer: tf.regularizers.l2({ l2: 0.01 }) }),
      l.batchNormalization({ axis: 1 }),
      l.reLU(),
      l.dense({ units: 3, activation: 'softmax' }),
    ],
  });
}

function graph(): tf.LayersModel {
  const image = tf.input({ shape: [8, 8, 2], name: 'pixels' });
  const apply = (layer: tf.layers.Layer, ...from: tf.SymbolicTensor[]) =>
    layer.apply(from.length === 1 ? from[0]! : from) as tf.SymbolicTensor;
  const stem = apply(l.conv2d({ filters: 4, kernelSize: 3, padding: 'same', kernelInitializer: 'leCunNormal' }), image);
  const branch = apply(l.conv2d({ filters: 4, kernelSize: 1, activation: 'relu' }), stem);
  const gate = apply(l.softmax({ axis: 3 }), branch);
  const mixed = apply(l.dense({ units: 4, activation: 'softmax' }), apply(l.globalAveragePooling2d({}), branch));
  const sum = apply(l.add(), stem, branch, gate);
  const joined = apply(l.concatenate({ axis: 3 }), sum, stem);
  const tail = apply(l.conv2d({ filters: 3, kernelSize: 3, padding: 'valid' }), joined);
  const pooled = apply(l.globalAveragePooling2d({}), tail);
  const logits = apply(l.dense({ units: 3 }), apply(l.concatenate(), pooled, mixed));
  return tf.model({ inputs: image, outputs: apply(l.softmax({}), logits), name: 'graph' });
}

/** No dense layer at all: the pool gives the logits. */
function pooling(): tf.LayersModel {
  return tf.sequential({
    name: 'pooling',
    layers: [
      l.inputLayer({ inputShape: [6, 6, 1] }),
      l.conv2d({ filters: 3, kernelSize: 3, activation: 'relu' }),
      l.activation({ activation: 'linear' }),
      l.conv2dTranspose({ filters: 3, kernelSize: 2, strides: 2 }),
      l.reshape({ targetShape: [4, 16, 3] }),
      l.globalAveragePooling2d({}),
      l.activation({ activation: 'softmax' }),
    ],
  });
}

function jsonOf(model: tf.LayersModel): string {
  return JSON.stringify({ modelTopology: model.toJSON(null, false), format: 'layers-model', weightsManifest: [] });
}

/** By our names: the same ones each time (fresh ones of tfjs differ), the statistics of a batch norm positive. */
function weightsOf(model: tf.LayersModel): WeightTensor[] {
  const random = new RandomStream(3, 'weights');
  return model.layers.flatMap((layer) => {
    const fresh = layer.getWeights();
    layer.setWeights(
      fresh.map((tensor) => {
        const isPerChannel = tensor.rank === 1;
        const [low, high] = isPerChannel ? [0.2, 1.2] : [-0.5, 0.5];
        return tf.tensor(
          Float32Array.from({ length: tensor.size }, () => random.between(low, high)),
          tensor.shape,
        );
      }),
    );
    return layer.weights.map((weight, at) => {
      const name = `${layer.name}/${weight.originalName.split('/').at(-1)!}`;
      const tensor = layer.getWeights()[at]!;
      return { name, shape: tensor.shape, data: Float32Array.from(tensor.dataSync()) };
    });
  });
}

function pixelsFor({ input }: NetworkSpec): Uint8Array {
  const random = new RandomStream(1, 'pixels');
  return Uint8Array.from({ length: COUNT * input.height * input.width * input.channels }, () => random.integer(256));
}

function predicted(network: NetworkSpec, weights: WeightTensor[], pixels: Uint8Array): Float32Array {
  const loss = { balance: 0, temperature: 1 };
  const classifier = engine.createClassifier({ network, batch: 2, seed: 1, loss, optimiser: DEFAULT_ADAM });
  classifier.setWeights(weights);
  return classifier.predict(pixels, COUNT);
}

function expectClose(measured: Float32Array, expected: Float32Array | Int32Array | Uint8Array): void {
  expect(measured).toHaveLength(expected.length);
  measured.forEach((value, i) => expect(Math.abs(value - expected[i]!)).toBeLessThan(1e-5));
}

describe('topologies - what tfjs writes', () => {
  it.each([
    ['a chain', chain],
    ['a graph', graph],
    ['one that ends in a pool', pooling],
  ])('%s predicts as in tfjs', (_what, make) => {
    const model = make();
    const network = networkFromTopology(topologyOf(jsonOf(model)));
    const weights = weightsOf(model);
    const pixels = pixelsFor(network);
    const { height, width, channels } = network.input;
    const images = tf.tensor(Float32Array.from(pixels), [COUNT, height, width, channels]).div(255);
    const expected = (model.predict(images) as tf.Tensor).dataSync();
    const measured = predicted(network, weights, pixels);
    expectClose(measured, expected);
    expect(Math.abs(measured[0]! - measured[network.classes]!)).toBeGreaterThan(1e-4);
    // Its bundle is written from the same layers.
    expect(encodeOnnx(network, weights).length).toBeGreaterThan(100);
  });

  it('keeps what counts in training', () => {
    const network = networkFromTopology(topologyOf(jsonOf(chain())));
    expect(network).toMatchObject({ name: 'chain', input: { height: 11, width: 10, channels: 3 }, classes: 3 });
    const found = (kind: string) => network.layers.filter((layer) => layer.kind === kind);
    expect(found('conv2d')).toMatchObject([{ initializer: 'glorot-normal' }, { initializer: 'he-normal' }]);
    expect(found('dense')).toMatchObject([{ l2: 0.01 }, { activation: 'linear' }]);
    expect(found('batch-norm')).toMatchObject([
      { momentum: 0.9, epsilon: 0.01 },
      { momentum: 0.99, epsilon: 1e-3 },
    ]);
    expect(found('dropout')).toMatchObject([{ rate: 0.3 }]);
  });

  it.each(NETWORK_NAMES)('takes back what %s is exported as', (name) => {
    const network = networkByName(name, { height: 16, width: 16, channels: 3 }, 4);
    const loss = { balance: 0, temperature: 1 };
    const classifier = engine.createClassifier({ network, batch: 2, seed: 1, loss, optimiser: DEFAULT_ADAM });
    const weights = classifier.weights();
    const text = new TextDecoder().decode(encodeTfjs(network, weights).modelJson);
    const back = networkFromTopology(topologyOf(text));
    const pixels = pixelsFor(network);
    expect(predicted(back, weights, pixels)).toEqual(classifier.predict(pixels, COUNT));
  });

  it.each([
    ['the text of toJSON', (model: tf.LayersModel) => JSON.stringify(model.toJSON(null, false))],
    [
      "what Keras' converter writes",
      (model: tf.LayersModel) =>
        JSON.stringify({ modelTopology: { keras_version: '2.15', model_config: model.toJSON(null, false) } }),
    ],
  ])('takes %s', (_what, write) => {
    const model = chain();
    expect(topologyOf(write(model))).toBe(topologyOf(jsonOf(model)));
  });
});

describe('topologies - layers that are refused', () => {
  type Fields = Record<string, unknown>;
  const body = (className: string, config: Fields) => ({ class_name: className, config: { name: 'odd', ...config } });
  const conv = { filters: 2, kernel_size: [3, 3] };
  const wrapped = (layer: object, last: object = body('Dense', { name: 'logits', units: 3, activation: 'softmax' })) =>
    JSON.stringify({
      class_name: 'Sequential',
      config: {
        name: 'bad',
        layers: [
          { class_name: 'InputLayer', config: { name: 'in', batch_input_shape: [null, 8, 8, 1] } },
          layer,
          body('Flatten', { name: 'flat' }),
          last,
        ],
      },
    });
  it.each<[string, Fields, RegExp]>([
    ['LSTM', {}, /don't know layers of this class; known are InputLayer, Conv2D/],
    ['constructor', {}, /don't know layers of this class/],
    ['Conv2D', { ...conv, data_format: 'channels_first' }, /data_format is "channels_first"/],
    ['Conv2D', { ...conv, dilation_rate: [2, 2] }, /dilation_rate is \[2,2\]/],
    ['Conv2D', { ...conv, groups: 2 }, /groups must be 1/],
    ['Conv2D', { ...conv, activation: 'selu' }, /activation is "selu".*known: linear, relu/],
    ['Conv2D', { ...conv, padding: 'causal' }, /padding is "causal"/],
    ['Conv2D', { kernel_size: [3, 3] }, /filters \(missing\) must be a number/],
    ['Conv2D', { ...conv, filters: 0 }, /filters \(0\)/],
    ['Conv2D', { ...conv, kernel_size: [3] }, /kernel_size \(\[3\]\)/],
    ['Conv2D', { ...conv, kernel_size: [9, 9] }, /nothing is left/],
    ['Conv2D', { ...conv, use_bias: 'no' }, /use_bias \("no"\)/],
    ['Conv2D', { ...conv, trainable: false }, /trainable is false/],
    ['Conv2D', { ...conv, kernel_initializer: 'orthogonal' }, /kernel_initializer is orthogonal/],
    ['Conv2D', { ...conv, bias_initializer: 'ones' }, /bias_initializer is ones; known: Zeros/],
    [
      'Conv2D',
      { ...conv, kernel_initializer: { class_name: 'VarianceScaling', config: { scale: 3, mode: 'fan_in' } } },
      /kernel_initializer is 3 fan_in/,
    ],
    ['Conv2D', { ...conv, kernel_regularizer: { class_name: 'L1L2', config: { l1: 0.1, l2: 0 } } }, /l1 is 0\.1/],
    ['Conv2D', { ...conv, kernel_constraint: { class_name: 'MaxNorm', config: {} } }, /kernel_constraint is/],
    ['Conv2DTranspose', { ...conv, output_padding: 1 }, /output_padding is 1/],
    ['BatchNormalization', { axis: 1 }, /axis is 1; the engines work along the channels/],
    ['BatchNormalization', { center: false }, /center is false/],
    ['BatchNormalization', { scale: false }, /scale is false/],
    ['ReLU', { max_value: 6 }, /max_value is 6/],
    ['Dropout', { rate: 0.5, noise_shape: [1] }, /noise_shape is \[1\]/],
    ['Dropout', { rate: 1 }, /rate \(1\)/],
    ['GlobalAveragePooling2D', { keepdims: true }, /keepdims is true/],
    ['Reshape', { target_shape: [-1, 2] }, /target_shape is \[-1,2\]/],
    ['Softmax', { axis: 1 }, /axis is 1/],
    ['Add', {}, /two or more inputs/],
  ])('%s with %j', (className, config, message) => {
    const given = () => networkFromTopology(topologyOf(wrapped(body(className, config))));
    expect(given).toThrow(message);
    expect(given).toThrow(/odd/);
  });

  it('with an error that tells layer and class', () => {
    expect(() => networkFromTopology(topologyOf(wrapped(body('LSTM', {}))))).toThrow(TopologyLayerError);
    expect(caught(() => networkFromTopology(topologyOf(wrapped(body('LSTM', {})))))).toMatchObject({
      kind: 'invalid-argument',
      code: 'LAYER_NOT_KNOWN',
      layer: 'odd',
      className: 'LSTM',
    });
  });

  it.each<[string, object, RegExp]>([
    ['a sigmoid', body('Dense', { units: 3, activation: 'sigmoid' }), /odd.*ends in sigmoid/],
    ['a ReLU', body('ReLU', {}), /odd.*ends in relu/],
  ])('a network that ends in %s', (_what, last, message) => {
    expect(() => networkFromTopology(topologyOf(wrapped(body('Dropout', { name: 'd', rate: 0 }), last)))).toThrow(
      message,
    );
  });

  it('a network that goes on after its softmax', () => {
    const softmax = body('Softmax', { name: 'soft' });
    expect(() => networkFromTopology(topologyOf(wrapped(softmax, body('Dropout', { rate: 0.5 }))))).toThrow(
      /odd.*comes after the softmax 'soft'/,
    );
  });

  it('a network that ends in an image', () => {
    const last = body('Reshape', { target_shape: [8, 8, 1] });
    expect(() => networkFromTopology(topologyOf(wrapped(body('Dropout', { name: 'd', rate: 0 }), last)))).toThrow(
      /odd.*gives an image/,
    );
  });
});

describe('topologies - documents that are refused', () => {
  const input = { class_name: 'InputLayer', name: 'in', config: { name: 'in', batch_input_shape: [null, 4, 4, 1] } };
  const dense = {
    class_name: 'Dense',
    name: 'out',
    config: { name: 'out', units: 2 },
    inbound_nodes: [[['in', 0, 0, {}]]],
  };
  const flat = { class_name: 'Flatten', name: 'flat', config: { name: 'flat' }, inbound_nodes: [[['in', 0, 0, {}]]] };
  const model = (layers: object[], over: object = {}) =>
    JSON.stringify({
      class_name: 'Model',
      config: { name: 'm', layers, input_layers: [['in', 0, 0]], output_layers: [['out', 0, 0]], ...over },
    });
  const from = (name: string) => ({ ...dense, inbound_nodes: [[[name, 0, 0, {}]]] });
  it.each<[string, string, RegExp]>([
    ['text that is not JSON', '{', /is not JSON/],
    ['a list', '[]', /is it a tfjs LayersModel/],
    ['a graph model', '{"format": "graph-model", "modelTopology": {"node": []}}', /is it a tfjs LayersModel/],
    ['another kind of model', '{"class_name": "Bidirectional", "config": {"layers": [1]}}', /it is a "Bidirectional"/],
    ['no layers', '{"class_name": "Sequential", "config": {}}', /has no layers/],
    ['a layer that is none', '{"class_name": "Sequential", "config": {"layers": [7]}}', /a layer \(7\) lacks/],
    [
      'no shape of the image',
      model([{ ...input, config: { name: 'in' } }, flat, from('flat')]),
      /batch_input_shape is missing/,
    ],
    [
      'a shape that is open',
      model([{ ...input, config: { name: 'in', batch_input_shape: [null, null, null, 1] } }, flat, from('flat')]),
      /give it as \[null, height/,
    ],
    ['an input that is not there', model([input, from('nowhere')]), /no layer 'nowhere'/],
    ['a ring', model([input, { ...flat, inbound_nodes: [[['out', 0, 0, {}]]] }, from('flat')]), /feeds itself/],
    ['two layers of one name', model([input, flat, flat, from('flat')]), /another layer has this name/],
    [
      'a layer used twice',
      model([input, flat, { ...from('flat'), inbound_nodes: [[['flat', 0, 0, {}]], [['flat', 0, 0, {}]]] }]),
      /used 2 times/,
    ],
    [
      'two outputs',
      model([input, flat, from('flat')], {
        output_layers: [
          ['out', 0, 0],
          ['flat', 0, 0],
        ],
      }),
      /2 output_layers/,
    ],
    [
      'two inputs',
      model([input, flat, from('flat')], {
        input_layers: [
          ['in', 0, 0],
          ['in2', 0, 0],
        ],
      }),
      /2 input_layers/,
    ],
    [
      'the nodes of Keras 3',
      model([input, { ...flat, inbound_nodes: [{ args: [] }] }, from('flat')]),
      /layer 'flat' \(Flatten\): its inbound_nodes are written as Keras 3 does/,
    ],
    ['a dense layer over an image', model([input, dense]), /put a flatten layer before it/],
    [
      'more than can be',
      `{"class_name": "Sequential", "config": "${'x'.repeat(MAX_TOPOLOGY_BYTES)}"}`,
      /bytes without its weights/,
    ],
  ])('%s', (_what, text, message) => {
    expect(() => networkFromTopology(topologyOf(text))).toThrow(message);
    expect(caught(() => networkFromTopology(topologyOf(text)))).toMatchObject({ kind: 'invalid-argument' });
  });

  it.each<[string, object, RegExp]>([
    ['a name of ours beside it', { network: 'lenet5' }, /give one of them/],
    ['another number of classes', { classes: 4 }, /3 outputs and classes is 4/],
    ['images of another shape', { shape: { height: 9, width: 10, channels: 3 } }, /11x10x3 and the images are 9x10x3/],
  ])('%s', (_what, over, message) => {
    const topology = topologyOf(jsonOf(chain()));
    const given = { network: '', shape: { height: 11, width: 10, channels: 3 }, classes: 3, ...over };
    expect(() => studentNetwork({ ...given, topology }, given.shape, given.classes)).toThrow(message);
  });
});

function caught(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}
