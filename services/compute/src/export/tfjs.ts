import { InvalidArgumentError } from '@bbdistill/common/base';
import { pairOf, stridesOf } from '../engine.js';
import type { LayerSpec, NetworkSpec, WeightTensor } from '../engine.js';
import { weightNamed } from './weights.js';

/** The two files of a tfjs LayersModel. */
export interface TfjsModel {
  /** model.json */
  modelJson: Uint8Array;
  /** weights.bin */
  weightsBin: Uint8Array;
}

export const TFJS_WEIGHTS_FILE = 'weights.bin';

/**
 * A Keras Sequential model that `tf.loadLayersModel` loads: [N,H,W,C] of 0..1 in, probabilities [N,K] out.
 * @param network its last layer gives logits; the exported one ends in a softmax
 */
export function encodeTfjs(network: NetworkSpec, weights: readonly WeightTensor[]): TfjsModel {
  const { height, width, channels } = network.input;
  const ordered = weightedLayers(network).flatMap((layer) => [
    weightNamed(weights, `${layer.name}/kernel`),
    weightNamed(weights, `${layer.name}/bias`),
  ]);
  const layers = network.layers.map((layer, at) => ({
    class_name: CLASS_NAMES[layer.kind] ?? '',
    config: {
      ...configOf(layer, at === network.layers.length - 1),
      ...(at === 0 ? { batch_input_shape: [null, height, width, channels] } : {}),
    },
  }));
  const model = {
    format: 'layers-model',
    generatedBy: 'blackbox-distill',
    convertedBy: null,
    modelTopology: {
      class_name: 'Sequential',
      config: { name: network.name, layers },
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

const CLASS_NAMES: Partial<Record<LayerSpec['kind'], string>> = {
  conv2d: 'Conv2D',
  'max-pool2d': 'MaxPooling2D',
  flatten: 'Flatten',
  dense: 'Dense',
};

function configOf(layer: LayerSpec, isLast: boolean): Record<string, unknown> {
  const common = { name: layer.name, trainable: true, dtype: 'float32' };
  switch (layer.kind) {
    case 'conv2d':
      return {
        ...common,
        filters: layer.filters,
        kernel_size: pairOf(layer.kernelSize),
        strides: [1, 1],
        padding: layer.padding,
        data_format: 'channels_last',
        dilation_rate: [1, 1],
        activation: layer.activation,
        use_bias: true,
      };
    case 'max-pool2d':
      return {
        ...common,
        pool_size: pairOf(layer.poolSize),
        strides: stridesOf(layer),
        padding: 'valid',
        data_format: 'channels_last',
      };
    case 'flatten':
      return common;
    case 'dense':
      return { ...common, units: layer.units, activation: isLast ? 'softmax' : layer.activation, use_bias: true };
    default:
      throw new InvalidArgumentError(`layer ${layer.name}: ${layer.kind} can't be exported to tfjs yet`);
  }
}

function weightedLayers(network: NetworkSpec): LayerSpec[] {
  return network.layers.filter(({ kind }) => kind === 'conv2d' || kind === 'dense');
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
