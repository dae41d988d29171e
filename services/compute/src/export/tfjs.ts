import type { Activation, LayerSpec, NetworkSpec, WeightTensor } from '../engine.js';
import {
  DEFAULT_BATCH_NORM_EPSILON,
  DEFAULT_BATCH_NORM_MOMENTUM,
  IMAGE_INPUT,
  inputsOf,
  pairOf,
  stridesOf,
} from '../layers.js';
import type { Conv2dSpec, Conv2dTransposeSpec, PoolSpec } from '../layers.js';
import { networkTensors } from '../network-shapes.js';
import { freeName } from './free-name.js';
import { weightNamed } from './weights.js';

/** The two files of a tfjs LayersModel. */
export interface TfjsModel {
  /** model.json */
  modelJson: Uint8Array;
  /** weights.bin */
  weightsBin: Uint8Array;
}

export const TFJS_WEIGHTS_FILE = 'weights.bin';
/** Added where the logits don't come from a dense layer, which takes the softmax itself. */
const SOFTMAX_LAYER = 'probabilities';

/**
 * A Keras model that `tf.loadLayersModel` loads: [N,H,W,C] of 0..1 in, probabilities [N,K] out. Sequential where each
 * layer reads the one before, else functional.
 * @param network its last layer gives logits; the exported one ends in a softmax
 * @throws DataLossError where a tensor is missing
 */
export function encodeTfjs(network: NetworkSpec, weights: readonly WeightTensor[]): TfjsModel {
  const ordered = networkTensors(network).map(({ name }) => weightNamed(weights, name));
  const model = {
    format: 'layers-model',
    generatedBy: 'blackbox-distill',
    convertedBy: null,
    modelTopology: {
      ...(isChain(network.layers) ? sequential(network) : functional(network)),
      keras_version: 'tfjs-layers 4.22.0',
      backend: 'tensor_flow.js',
    },
    weightsManifest: [
      {
        paths: [TFJS_WEIGHTS_FILE],
        weights: ordered.map(({ name, shape }) => ({ name, shape, dtype: 'float32' })),
      },
    ],
  };
  return { modelJson: new TextEncoder().encode(JSON.stringify(model)), weightsBin: joined(ordered) };
}

interface KerasLayer {
  class_name: string;
  config: Record<string, unknown>;
}

function isChain(layers: readonly LayerSpec[]): boolean {
  return layers.every((_, at) => {
    const inputs = inputsOf(layers, at);
    return inputs.length === 1 && inputs[0] === (layers[at - 1]?.name ?? IMAGE_INPUT);
  });
}

function sequential({ name, layers, input }: NetworkSpec) {
  const { height, width, channels } = input;
  const [first, ...others] = kerasLayers(layers);
  const shaped = first && { ...first, config: { ...first.config, batch_input_shape: [null, height, width, channels] } };
  return { class_name: 'Sequential', config: { name, layers: [shaped, ...others] } };
}

function functional({ name, layers, input }: NetworkSpec) {
  const { height, width, channels } = input;
  const inputLayer = {
    class_name: 'InputLayer',
    name: IMAGE_INPUT,
    config: { batch_input_shape: [null, height, width, channels], dtype: 'float32', sparse: false, name: IMAGE_INPUT },
    inbound_nodes: [],
  };
  const exported = kerasLayers(layers);
  const inbound = (at: number) =>
    at < layers.length ? inputsOf(layers, at) : [String(exported[at - 1]?.config['name'])];
  return {
    class_name: 'Model',
    config: {
      name,
      layers: [
        inputLayer,
        ...exported.map((layer, at) => ({
          ...layer,
          name: layer.config['name'],
          inbound_nodes: [inbound(at).map((from) => [from, 0, 0, {}])],
        })),
      ],
      input_layers: [[IMAGE_INPUT, 0, 0]],
      output_layers: [[exported.at(-1)?.config['name'], 0, 0]],
    },
  };
}

function kerasLayers(layers: readonly LayerSpec[]): KerasLayer[] {
  const exported = layers.map(kerasLayer);
  const last = exported.at(-1);
  if (last?.class_name === 'Dense') last.config['activation'] = 'softmax';
  else {
    const name = freeName(SOFTMAX_LAYER, new Set([IMAGE_INPUT, ...layers.map((layer) => layer.name)]));
    const config = { name, trainable: true, dtype: 'float32', activation: 'softmax' };
    exported.push({ class_name: 'Activation', config });
  }
  return exported;
}

function kerasLayer(layer: LayerSpec): KerasLayer {
  const common = { name: layer.name, trainable: true, dtype: 'float32' };
  switch (layer.kind) {
    case 'conv2d':
      return { class_name: 'Conv2D', config: { ...common, ...convConfig(layer), dilation_rate: [1, 1] } };
    case 'conv2d-transpose':
      return { class_name: 'Conv2DTranspose', config: { ...common, ...convConfig(layer) } };
    case 'max-pool2d':
      return { class_name: 'MaxPooling2D', config: { ...common, ...poolConfig(layer) } };
    case 'average-pool2d':
      return { class_name: 'AveragePooling2D', config: { ...common, ...poolConfig(layer) } };
    case 'global-average-pool2d':
      return { class_name: 'GlobalAveragePooling2D', config: { ...common, data_format: 'channels_last' } };
    case 'dense': {
      const { units, activation, useBias = true } = layer;
      return { class_name: 'Dense', config: { ...common, units, activation, use_bias: useBias } };
    }
    case 'batch-norm': {
      const { momentum = DEFAULT_BATCH_NORM_MOMENTUM, epsilon = DEFAULT_BATCH_NORM_EPSILON } = layer;
      const config = { ...common, axis: -1, momentum, epsilon, center: true, scale: true };
      return { class_name: 'BatchNormalization', config };
    }
    case 'dropout':
      return { class_name: 'Dropout', config: { ...common, rate: layer.rate, noise_shape: null, seed: null } };
    case 'activation':
      return { class_name: 'Activation', config: { ...common, activation: layer.activation } };
    case 'add':
      return { class_name: 'Add', config: common };
    case 'concat':
      return { class_name: 'Concatenate', config: { ...common, axis: -1 } };
    case 'flatten':
      return { class_name: 'Flatten', config: { ...common, data_format: 'channels_last' } };
    case 'reshape': {
      const { height, width, channels } = layer.shape;
      return { class_name: 'Reshape', config: { ...common, target_shape: [height, width, channels] } };
    }
  }
}

function convConfig(layer: Conv2dSpec | Conv2dTransposeSpec) {
  const activation: Activation = layer.activation;
  return {
    filters: layer.filters,
    kernel_size: pairOf(layer.kernelSize),
    strides: stridesOf(layer),
    padding: layer.padding,
    data_format: 'channels_last',
    activation,
    use_bias: layer.useBias ?? true,
  };
}

function poolConfig(layer: PoolSpec) {
  return {
    pool_size: pairOf(layer.poolSize),
    strides: stridesOf(layer),
    padding: layer.padding ?? 'valid',
    data_format: 'channels_last',
  };
}

/** Little-endian float32, one tensor after the other. */
function joined(weights: readonly WeightTensor[]): Uint8Array {
  const floats = weights.reduce((sum, { data }) => sum + data.length, 0);
  const view = new DataView(new ArrayBuffer(floats * 4));
  let at = 0;
  for (const { data } of weights) {
    for (const value of data) {
      view.setFloat32(at, value, true);
      at += 4;
    }
  }
  return new Uint8Array(view.buffer);
}
