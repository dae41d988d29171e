import type { Activation, Initializer, LayerSpec, Padding } from '../layers.js';
import { DEFAULT_BATCH_NORM_EPSILON, DEFAULT_BATCH_NORM_MOMENTUM } from '../layers.js';
import type { KerasConfig } from './keras-config.js';
import { shown } from './keras-config.js';

/** What a layer of Keras is here. */
export interface ConvertedLayer {
  /** Absent where it hands its input on, but for a softmax. */
  spec?: LayerSpec;
  /** Whether a softmax follows: left out where the network ends, as the loss takes logits. */
  hasSoftmax?: boolean;
  /** The axis that it works along, where it names one: it must be that of the channels. */
  axis?: number;
}

const PADDINGS: readonly Padding[] = ['valid', 'same'];
const KERNEL_ACTIVATIONS = ['linear', 'relu', 'sigmoid', 'softmax'] as const;

const CONVERTERS: Readonly<Record<string, (config: KerasConfig) => ConvertedLayer>> = {
  InputLayer: () => ({}),
  Conv2D(config) {
    requirePlainConvolution(config);
    return withKernel(config, (common) => ({ kind: 'conv2d', ...convolution(config), ...common }));
  },
  Conv2DTranspose(config) {
    requirePlainConvolution(config);
    config.refuse('output_padding');
    return withKernel(config, (common) => ({ kind: 'conv2d-transpose', ...convolution(config), ...common }));
  },
  MaxPooling2D: (config) => ({ spec: { kind: 'max-pool2d', ...pool(config) } }),
  AveragePooling2D: (config) => ({ spec: { kind: 'average-pool2d', ...pool(config) } }),
  GlobalAveragePooling2D(config) {
    requireChannelsLast(config);
    config.refuse('keepdims');
    return { spec: { kind: 'global-average-pool2d', name: config.layer } };
  },
  Dense: (config) => withKernel(config, (common) => ({ kind: 'dense', units: config.number('units'), ...common })),
  BatchNormalization(config) {
    if (!config.flag('center', true)) throw config.wrong("center is false, which the engines can't do");
    if (!config.flag('scale', true)) throw config.wrong("scale is false, which the engines can't do");
    config.refuse('beta_regularizer', 'gamma_regularizer', 'beta_constraint', 'gamma_constraint', 'renorm');
    for (const key of ['beta_initializer', 'moving_mean_initializer']) requireInitializer(config, key, 'Zeros');
    for (const key of ['gamma_initializer', 'moving_variance_initializer']) requireInitializer(config, key, 'Ones');
    return {
      spec: {
        kind: 'batch-norm',
        name: config.layer,
        momentum: config.number('momentum', DEFAULT_BATCH_NORM_MOMENTUM),
        epsilon: config.number('epsilon', DEFAULT_BATCH_NORM_EPSILON),
      },
      axis: axisOf(config),
    };
  },
  Dropout(config) {
    config.refuse('noise_shape');
    return { spec: { kind: 'dropout', name: config.layer, rate: config.number('rate') } };
  },
  Activation: (config) => activation(config, config.word('activation', KERNEL_ACTIVATIONS, 'linear')),
  ReLU(config) {
    config.refuse('max_value', 'negative_slope', 'threshold');
    return activation(config, 'relu');
  },
  Softmax: (config) => ({ hasSoftmax: true, axis: axisOf(config) }),
  Add: (config) => ({ spec: { kind: 'add', name: config.layer } }),
  Concatenate: (config) => ({ spec: { kind: 'concat', name: config.layer }, axis: axisOf(config) }),
  Flatten(config) {
    requireChannelsLast(config);
    return { spec: { kind: 'flatten', name: config.layer } };
  },
  Reshape(config) {
    const shape = config.get('target_shape');
    const sizes: unknown[] = Array.isArray(shape) ? shape : [];
    if (sizes.length === 1) return { spec: { kind: 'flatten', name: config.layer } };
    const [height, width, channels] = sizes;
    if (sizes.length === 3 && typeof height === 'number' && typeof width === 'number' && typeof channels === 'number') {
      return { spec: { kind: 'reshape', name: config.layer, shape: { height, width, channels } } };
    }
    throw config.wrong(`target_shape is ${shown(shape)}; known: [height, width, channels] and a single number`);
  },
};

/** Classes of layers that a topology may have, as Keras names them. */
export const KERAS_LAYERS: readonly string[] = Object.keys(CONVERTERS);

/** @throws TopologyLayerError naming class and layer where the engines can't do it */
export function convertLayer(config: KerasConfig): ConvertedLayer {
  const convert = Object.hasOwn(CONVERTERS, config.className) ? CONVERTERS[config.className] : undefined;
  if (!convert) {
    throw config.wrong(`the engines don't know layers of this class; known are ${KERAS_LAYERS.join(', ')}`);
  }
  if (!config.flag('trainable', true)) {
    throw config.wrong('trainable is false, but a student is trained from fresh weights; set it to true');
  }
  return convert(config);
}

interface KernelSettings {
  name: string;
  useBias: boolean;
  activation: Activation;
  initializer: Initializer;
  l2: number;
}

function withKernel(config: KerasConfig, make: (common: KernelSettings) => LayerSpec): ConvertedLayer {
  config.refuse('bias_regularizer', 'activity_regularizer', 'kernel_constraint', 'bias_constraint');
  requireInitializer(config, 'bias_initializer', 'Zeros');
  const named = config.word('activation', KERNEL_ACTIVATIONS, 'linear');
  const hasSoftmax = named === 'softmax';
  const spec = make({
    name: config.layer,
    useBias: config.flag('use_bias', true),
    activation: hasSoftmax ? 'linear' : named,
    initializer: initializerOf(config),
    l2: l2Of(config),
  });
  return { spec, hasSoftmax };
}

function convolution(config: KerasConfig) {
  return {
    filters: config.number('filters'),
    kernelSize: config.pair('kernel_size'),
    strides: config.pair('strides', [1, 1]),
    padding: config.word('padding', PADDINGS, 'valid'),
  };
}

function requirePlainConvolution(config: KerasConfig): void {
  requireChannelsLast(config);
  const dilation = config.pair('dilation_rate', [1, 1]);
  if (dilation.some((rate) => rate !== 1)) {
    throw config.wrong(`dilation_rate is ${shown(dilation)}, which the engines can't do; known: 1`);
  }
  if (config.number('groups', 1) !== 1) throw config.wrong('groups must be 1');
}

function pool(config: KerasConfig) {
  requireChannelsLast(config);
  const poolSize = config.pair('pool_size', [2, 2]);
  return {
    name: config.layer,
    poolSize,
    strides: config.pair('strides', poolSize),
    padding: config.word('padding', PADDINGS, 'valid'),
  };
}

function activation(config: KerasConfig, named: (typeof KERNEL_ACTIVATIONS)[number]): ConvertedLayer {
  if (named === 'softmax') return { hasSoftmax: true };
  return named === 'linear' ? {} : { spec: { kind: 'activation', name: config.layer, activation: named } };
}

function requireChannelsLast(config: KerasConfig): void {
  config.word('data_format', ['channels_last'], 'channels_last');
}

/** Keras' converter writes some as a list of one. */
function axisOf(config: KerasConfig): number {
  const axis = config.get('axis');
  if (Array.isArray(axis) && axis.length === 1 && typeof axis[0] === 'number') return axis[0];
  return config.number('axis', -1);
}

function requireInitializer(config: KerasConfig, key: string, wanted: 'Zeros' | 'Ones'): void {
  const found = config.object(key)?.className.toLowerCase() ?? wanted.toLowerCase();
  if (found !== wanted.toLowerCase()) throw config.wrong(`${key} is ${found}; known: ${wanted}`);
}

const INITIALIZERS: Readonly<Record<string, Initializer>> = {
  glorotuniform: 'glorot-uniform',
  glorotnormal: 'glorot-normal',
  heuniform: 'he-uniform',
  henormal: 'he-normal',
  lecununiform: 'lecun-uniform',
  lecunnormal: 'lecun-normal',
};

/** By scale, what fans are counted, and distribution: how tfjs writes all of INITIALIZERS. */
const VARIANCE_SCALINGS: Readonly<Record<string, Initializer>> = {
  '1 fan_avg uniform': 'glorot-uniform',
  '1 fan_avg normal': 'glorot-normal',
  '2 fan_in uniform': 'he-uniform',
  '2 fan_in normal': 'he-normal',
  '1 fan_in uniform': 'lecun-uniform',
  '1 fan_in normal': 'lecun-normal',
};

function initializerOf(config: KerasConfig): Initializer {
  const object = config.object('kernel_initializer');
  if (!object) return 'glorot-uniform';
  const { className, config: settings } = object;
  let found = INITIALIZERS[className.toLowerCase().replaceAll('_', '')];
  let name = className;
  if (className === 'VarianceScaling') {
    const mode = String(settings.get('mode')).replace('fanAvg', 'fan_avg').replace('fanIn', 'fan_in');
    const distribution = String(settings.get('distribution')).replace('truncated_normal', 'normal');
    name = `${settings.number('scale')} ${mode} ${distribution}`;
    found = VARIANCE_SCALINGS[name];
  }
  if (found) return found;
  throw config.wrong(`kernel_initializer is ${name}; known: ${Object.values(INITIALIZERS).join(', ')}`);
}

/** Keras adds l2·Σ kernel², as the engines do. */
function l2Of(config: KerasConfig): number {
  const object = config.object('kernel_regularizer');
  if (!object) return 0;
  object.config.refuse('l1');
  if (object.className !== 'L1L2' && object.className !== 'L2') {
    throw config.wrong(`kernel_regularizer is ${object.className}; known: L2`);
  }
  return object.config.number('l2', 0);
}
