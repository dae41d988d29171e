import { InvalidArgumentError } from '@bbdistill/common/base';
import type { ImageShape } from '@bbdistill/common/base';
import type { Tensor, Tensor2D, Tensor4D } from '@tensorflow/tfjs';
import { DEFAULT_BATCH_NORM_EPSILON, DEFAULT_BATCH_NORM_MOMENTUM, paddingOf, pairOf, stridesOf } from '../../layers.js';
import type { BatchNormSpec, DropoutSpec, PoolSpec } from '../../layers.js';
import type { ShapedLayer } from '../../network-shapes.js';
import { averageDecay } from './average-decay.js';
import type { Tfjs } from './tfjs.js';

/** Weights, or anything else, by name. */
export type Tensors = ReadonlyMap<string, Tensor>;

export type Mode =
  | { training: false }
  | {
      training: true;
      /** What the layer multiplies with, [count,features]. */
      dropoutMask: (spec: DropoutSpec, features: number) => Tensor2D;
      /** Counted from 0. */
      step: number;
      /** Gets the moving statistics after the step, by their names. */
      statistics: Map<string, Tensor>;
    };

/**
 * Computes a graph, in `tf.tidy` of the caller's.
 * @param inputs of the graph: images [N,H,W,C], flat values [N,features]
 * @returns what every layer gives, by name and in order
 */
export function runLayers(
  tf: Tfjs,
  layers: readonly ShapedLayer[],
  inputs: Tensors,
  weights: Tensors,
  mode: Mode,
): Map<string, Tensor> {
  const values = new Map(inputs);
  const outputs = new Map<string, Tensor>();
  for (const layer of layers) {
    const output = runLayer(
      tf,
      layer,
      layer.inputNames.map((name) => named(values, name)),
      weights,
      mode,
    );
    values.set(layer.spec.name, output);
    outputs.set(layer.spec.name, output);
  }
  return outputs;
}

export function named(tensors: Tensors, name: string): Tensor {
  const tensor = tensors.get(name);
  if (!tensor) throw new InvalidArgumentError(`there is no tensor ${name}`);
  return tensor;
}

function runLayer(tf: Tfjs, layer: ShapedLayer, inputs: readonly Tensor[], weights: Tensors, mode: Mode): Tensor {
  const { spec, output } = layer;
  const x = inputs[0]!;
  switch (spec.kind) {
    case 'conv2d': {
      const kernel = named(weights, `${spec.name}/kernel`) as Tensor4D;
      return finish(tf, spec, tf.conv2d(x as Tensor4D, kernel, pair(stridesOf(spec)), spec.padding), weights);
    }
    case 'conv2d-transpose': {
      const kernel = named(weights, `${spec.name}/kernel`) as Tensor4D;
      const shape: [number, number, number, number] = [x.shape[0], output.height, output.width, output.channels];
      const spread = tf.conv2dTranspose(x as Tensor4D, kernel, shape, pair(stridesOf(spec)), spec.padding);
      return finish(tf, spec, spread, weights);
    }
    case 'dense': {
      const kernel = named(weights, `${spec.name}/kernel`) as Tensor2D;
      return finish(tf, spec, tf.matMul(x, kernel), weights);
    }
    case 'max-pool2d':
      return tf.maxPool(x as Tensor4D, pair(pairOf(spec.poolSize)), pair(stridesOf(spec)), spec.padding ?? 'valid');
    case 'average-pool2d':
      return averagePool(tf, spec, x as Tensor4D, layer.input, output);
    case 'global-average-pool2d':
      return tf.mean(x, [1, 2]);
    case 'batch-norm':
      return batchNorm(tf, spec, x, weights, mode);
    case 'dropout': {
      if (!mode.training || spec.rate === 0) return x;
      const mask = mode.dropoutMask(spec, output.height * output.width * output.channels);
      return tf.mul(x, tf.reshape(mask, x.shape));
    }
    case 'activation':
      return activated(tf, spec.activation, x);
    case 'add':
      return inputs.slice(1).reduce((sum, input) => tf.add(sum, input), x);
    case 'concat':
      return tf.concat([...inputs], -1);
    case 'flatten':
    case 'reshape':
      return tf.reshape(x, shapeOf(x.shape[0], output, layer.isFlat));
  }
}

/** The shape of `count` values of a layer or an input. */
export function shapeOf(count: number, shape: ImageShape, isFlat: boolean): number[] {
  return isFlat ? [count, shape.channels] : [count, shape.height, shape.width, shape.channels];
}

function finish(
  tf: Tfjs,
  spec: { name: string; useBias?: boolean; activation: 'linear' | 'relu' | 'sigmoid' },
  x: Tensor,
  weights: Tensors,
): Tensor {
  const biased = spec.useBias === false ? x : tf.add(x, named(weights, `${spec.name}/bias`));
  return activated(tf, spec.activation, biased);
}

function activated(tf: Tfjs, activation: 'linear' | 'relu' | 'sigmoid' | 'softmax', x: Tensor): Tensor {
  switch (activation) {
    case 'linear':
      return x;
    case 'relu':
      return tf.relu(x);
    case 'sigmoid':
      return tf.sigmoid(x);
    case 'softmax':
      return tf.softmax(x);
  }
}

/**
 * TensorFlow.js's own pool with `same` padding divides by the pixels inside the image going forward, and by the whole
 * window going back (on its own backends; TensorFlow's is right): the zeros are made explicit, and what they thinned is
 * made up for.
 */
function averagePool(tf: Tfjs, spec: PoolSpec, x: Tensor4D, input: ImageShape, output: ImageShape): Tensor {
  const [size, strides] = [pairOf(spec.poolSize), stridesOf(spec)];
  const padding = spec.padding ?? 'valid';
  const rows = paddingOf(padding, input.height, size[0], strides[0]);
  const columns = paddingOf(padding, input.width, size[1], strides[1]);
  if ([...rows, ...columns].every((zeros) => zeros === 0)) {
    return tf.avgPool(x, pair(size), pair(strides), 'valid');
  }
  const thinned = tf.avgPool(tf.pad(x, [[0, 0], rows, columns, [0, 0]]), pair(size), pair(strides), 'valid');
  const share = (at: number, before: number, edge: number, window: number, stride: number) => {
    const begin = at * stride - before;
    return (Math.min(begin + window, edge) - Math.max(begin, 0)) / window;
  };
  const makeUp = Float32Array.from({ length: output.height * output.width }, (_, i) => {
    const [row, column] = [Math.floor(i / output.width), i % output.width];
    const inRows = share(row, rows[0], input.height, size[0], strides[0]);
    return 1 / (inRows * share(column, columns[0], input.width, size[1], strides[1]));
  });
  return tf.mul(thinned, tf.tensor4d(makeUp, [1, output.height, output.width, 1]));
}

/** Ioffe and Szegedy, "Batch Normalization", ICML 2015, algorithm 1, over all axes but the channels. */
function batchNorm(tf: Tfjs, spec: BatchNormSpec, x: Tensor, weights: Tensors, mode: Mode): Tensor {
  const { momentum = DEFAULT_BATCH_NORM_MOMENTUM, epsilon = DEFAULT_BATCH_NORM_EPSILON } = spec;
  const weight = (name: string) => named(weights, `${spec.name}/${name}`);
  let [mean, variance] = [weight('moving_mean'), weight('moving_variance')];
  if (mode.training) {
    const axes = x.shape.map((_, axis) => axis).slice(0, -1);
    const batchMean = tf.mean(x, axes);
    const batchVariance = tf.mean(tf.square(tf.sub(x, batchMean)), axes);
    const kept = averageDecay(momentum, mode.step);
    const moved = (moving: Tensor, batch: Tensor) => tf.add(tf.mul(moving, kept), tf.mul(batch, 1 - kept));
    mode.statistics.set(`${spec.name}/moving_mean`, moved(mean, batchMean));
    mode.statistics.set(`${spec.name}/moving_variance`, moved(variance, batchVariance));
    [mean, variance] = [batchMean, batchVariance];
  }
  const scale = tf.mul(weight('gamma'), tf.rsqrt(tf.add(variance, epsilon)));
  return tf.add(tf.mul(tf.sub(x, mean), scale), weight('beta'));
}

function pair([height, width]: readonly [number, number]): [number, number] {
  return [height, width];
}
