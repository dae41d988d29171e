import { RandomStream } from '@bbdistill/common';
import * as tf from '@tensorflow/tfjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { kernelFamilies } from '../../../../test/helpers/kernel-families.js';
import { dropoutMask, dropoutSeed } from '../dropout.js';
import { DEFAULT_ADAM, DEFAULT_BATCH_NORM_EPSILON, DEFAULT_SGD, IMAGE_INPUT, pairOf, stridesOf } from '../engine.js';
import type { NetworkSpec, OptimiserOptions, WeightTensor } from '../engine.js';
import { shapedLayers } from '../network-shapes.js';
import { KernelClassifier } from './kernel-classifier.js';
import { KernelCvae } from './kernel-cvae.js';

// TensorFlow.js on its plain `cpu` backend is the oracle for what only shows over many steps: Adam and its bias
// correction. Shapes are tiny, because it trains a fifth of a LeNet step a second.

const STEPS = 30;
const LEARNING_RATE = 1e-3;
const TOLERANCE = 1e-4;

beforeAll(async () => {
  await tf.setBackend('cpu');
});

function uniform(length: number, purpose: string): Float32Array {
  const random = new RandomStream(5, purpose);
  return Float32Array.from({ length }, () => random.uniform());
}

/** Rows that sum to 1. */
function answers(count: number, classes: number): Float32Array {
  const raw = uniform(count * classes, 'answers').map((value) => value ** 3 + 0.01);
  for (let row = 0; row < count; row++) {
    const values = raw.subarray(row * classes, (row + 1) * classes);
    const sum = values.reduce((a, b) => a + b, 0);
    values.forEach((value, j) => (values[j] = value / sum));
  }
  return raw;
}

function variablesOf(weights: WeightTensor[]): Map<string, tf.Variable> {
  return new Map(weights.map(({ name, shape, data }) => [name, tf.variable(tf.tensor(data, [...shape]))]));
}

function denseOf(variables: Map<string, tf.Variable>, x: tf.Tensor, name: string): tf.Tensor2D {
  const kernel = variables.get(`${name}/kernel`) as tf.Tensor2D;
  return tf.add(tf.matMul(x as tf.Tensor2D, kernel), variables.get(`${name}/bias`)!);
}

/** Largest difference of the trained weights, relative to the largest weight of their tensor. */
function relativeError(weights: WeightTensor[], variables: Map<string, tf.Variable>): number {
  return Math.max(
    ...weights.map(({ name, data }) => {
      const expected = variables.get(name)!.dataSync<'float32'>();
      const largest = expected.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      return data.reduce((error, value, i) => Math.max(error, Math.abs(value - expected[i]!)), 0) / largest;
    }),
  );
}

/** The layers as TensorFlow.js computes them in training, on plain tensors. */
function tfForward(
  network: NetworkSpec,
  variables: Map<string, tf.Variable>,
  x: tf.Tensor4D,
  seed: number,
  step: number,
) {
  const values = new Map<string, tf.Tensor>([[IMAGE_INPUT, x]]);
  const batch = x.shape[0];
  for (const layer of shapedLayers(network)) {
    const { spec, output } = layer;
    const inputs = layer.inputNames.map((name) => values.get(name)!);
    const [first] = inputs as [tf.Tensor];
    const weight = (name: string) => variables.get(`${spec.name}/${name}`)!;
    const finished = (y: tf.Tensor) => {
      const biased = variables.has(`${spec.name}/bias`) ? tf.add(y, weight('bias')) : y;
      const activation = 'activation' in spec ? spec.activation : 'linear';
      return activation === 'relu' ? tf.relu(biased) : activation === 'sigmoid' ? tf.sigmoid(biased) : biased;
    };
    const compute = (): tf.Tensor => {
      switch (spec.kind) {
        case 'conv2d':
          return finished(
            tf.conv2d(
              first as tf.Tensor4D,
              weight('kernel') as unknown as tf.Tensor4D,
              [...stridesOf(spec)] as [number, number],
              spec.padding,
            ),
          );
        case 'conv2d-transpose':
          return finished(
            tf.conv2dTranspose(
              first as tf.Tensor4D,
              weight('kernel') as unknown as tf.Tensor4D,
              [batch, output.height, output.width, output.channels],
              [...stridesOf(spec)] as [number, number],
              spec.padding,
            ),
          );
        case 'max-pool2d':
        case 'average-pool2d': {
          const pool = spec.kind === 'max-pool2d' ? tf.maxPool : tf.avgPool;
          const size = [...pairOf(spec.poolSize)] as [number, number];
          const strides = [...stridesOf(spec)] as [number, number];
          return pool(first as tf.Tensor4D, size, strides, spec.padding ?? 'valid');
        }
        case 'global-average-pool2d':
          return tf.mean(first, [1, 2]);
        case 'dense':
          return finished(tf.matMul(first, weight('kernel')));
        case 'batch-norm': {
          const axes = first.shape.slice(0, -1).map((_, axis) => axis);
          const { mean, variance } = tf.moments(first, axes);
          const inverse = tf.rsqrt(tf.add(variance, spec.epsilon ?? DEFAULT_BATCH_NORM_EPSILON));
          return tf.add(tf.mul(tf.mul(tf.sub(first, mean), inverse), weight('gamma')), weight('beta'));
        }
        case 'dropout': {
          const mask = new Float32Array(first.size);
          dropoutMask(dropoutSeed(seed, spec.name), step, spec.rate, 0, mask);
          return tf.mul(first, tf.tensor(mask, first.shape));
        }
        case 'activation':
          return spec.activation === 'softmax' ? tf.softmax(first) : finished(first);
        case 'add':
          return tf.addN(inputs);
        case 'concat':
          return tf.concat(inputs, -1);
        case 'flatten':
          return tf.reshape(first, [batch, -1]);
        case 'reshape':
          return tf.reshape(first, [batch, output.height, output.width, output.channels]);
      }
    };
    values.set(spec.name, compute());
  }
  return values.get(network.layers.at(-1)!.name) as tf.Tensor2D;
}

const EVERY_LAYER: NetworkSpec = {
  name: 'every-layer',
  input: { height: 7, width: 6, channels: 3 },
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
    { kind: 'max-pool2d', name: 'c', poolSize: 3, strides: 2, padding: 'same' },
    // Unpadded: TensorFlow.js divides the gradient of a padded average by the pixels outside, too.
    { kind: 'average-pool2d', name: 'd', poolSize: 2, strides: 1 },
    { kind: 'batch-norm', name: 'e', epsilon: 0.01 },
    { kind: 'activation', name: 'f', activation: 'relu' },
    {
      kind: 'conv2d',
      name: 'g',
      filters: 3,
      kernelSize: 1,
      padding: 'valid',
      activation: 'linear',
      useBias: false,
      l2: 0.01,
    },
    { kind: 'add', name: 'h', inputs: ['g', 'f', 'd'] },
    { kind: 'activation', name: 'i', activation: 'softmax' },
    { kind: 'concat', name: 'j', inputs: ['h', 'i'] },
    { kind: 'reshape', name: 'k', shape: { height: 3, width: 8, channels: 3 } },
    { kind: 'conv2d', name: 'l', filters: 9, kernelSize: 3, strides: 2, padding: 'same', activation: 'sigmoid' },
    { kind: 'global-average-pool2d', name: 'm' },
    { kind: 'dense', name: 'n', units: 12, activation: 'relu' },
    { kind: 'dropout', name: 'o', rate: 0.3 },
    { kind: 'batch-norm', name: 'p' },
    { kind: 'dense', name: 'logits', units: 4, activation: 'linear' },
  ],
};

describe.each(kernelFamilies())('$name engine - 30 Adam steps as TensorFlow.js takes them', ({ instantiate }) => {
  it('a LeNet-like classifier', () => {
    const network: NetworkSpec = {
      name: 'tiny-lenet',
      input: { height: 12, width: 12, channels: 1 },
      classes: 5,
      layers: [
        { kind: 'conv2d', name: 'conv1', filters: 3, kernelSize: 5, padding: 'valid', activation: 'relu' },
        { kind: 'max-pool2d', name: 'pool1', poolSize: 2 },
        { kind: 'conv2d', name: 'conv2', filters: 4, kernelSize: 5, padding: 'same', activation: 'relu' },
        { kind: 'max-pool2d', name: 'pool2', poolSize: 2 },
        { kind: 'flatten', name: 'flatten' },
        { kind: 'dense', name: 'dense1', units: 10, activation: 'relu' },
        { kind: 'dense', name: 'logits', units: 5, activation: 'linear' },
      ],
    };
    const batch = 6;
    const loss = { balance: 0, temperature: 1 };
    const classifier = new KernelClassifier({ network, batch, seed: 1, loss, optimiser: DEFAULT_ADAM }, instantiate);
    const images = uniform(batch * 144, 'images');
    const targets = answers(batch, 5);
    const variables = variablesOf(classifier.weights());
    const optimiser = tf.train.adam(LEARNING_RATE, DEFAULT_ADAM.beta1, DEFAULT_ADAM.beta2, DEFAULT_ADAM.epsilon);
    const x = tf.tensor4d(images, [batch, 12, 12, 1]);
    const y = tf.tensor2d(targets, [batch, 5]);
    const entropy = -targets.reduce((sum, p) => sum + p * Math.log(p), 0) / batch;
    const convolve = (input: tf.Tensor4D, name: string, padding: 'valid' | 'same') =>
      tf.maxPool(
        tf.relu(
          tf.add<tf.Tensor4D>(
            tf.conv2d(input, variables.get(`${name}/kernel`) as unknown as tf.Tensor4D, 1, padding),
            variables.get(`${name}/bias`)!,
          ),
        ),
        2,
        2,
        'valid',
      );
    const forward = () => {
      const pooled = convolve(convolve(x, 'conv1', 'valid'), 'conv2', 'same');
      const hidden = tf.relu(denseOf(variables, tf.reshape(pooled, [batch, -1]), 'dense1'));
      const crossEntropy = tf.losses.softmaxCrossEntropy(y, denseOf(variables, hidden, 'logits'));
      return tf.sub<tf.Scalar>(crossEntropy, entropy);
    };
    classifier.images.set(images);
    classifier.targets.set(targets);
    for (let step = 0; step < STEPS; step++) {
      const expected = optimiser.minimize(forward, true)!.dataSync()[0]!;
      const measured = classifier.trainStep(batch, LEARNING_RATE);
      expect(Math.abs(measured - expected) / expected).toBeLessThan(TOLERANCE);
    }
    expect(relativeError(classifier.weights(), variables)).toBeLessThan(TOLERANCE);
  });

  it.each([
    // Before a batch norm many gradients are zero but for rounding, which Adam would blow up to whole steps.
    ['Adam', { ...DEFAULT_ADAM, epsilon: 1e-3 }],
    ['AdamW', { ...DEFAULT_ADAM, epsilon: 1e-3, weightDecay: 0.1 }],
    ['SGD with momentum', DEFAULT_SGD],
    ['SGD with Nesterov momentum', { ...DEFAULT_SGD, nesterov: true }],
  ] as [string, OptimiserOptions][])('every kind of layer, with %s', (_, options) => {
    const [batch, classes, seed] = [4, 4, 3];
    const network = EVERY_LAYER;
    const loss = { kind: 'soft-cross-entropy' } as const;
    const classifier = new KernelClassifier({ network, batch, seed, loss, optimiser: options }, instantiate);
    const images = uniform(batch * 126, 'images');
    const targets = answers(batch, classes);
    const variables = variablesOf(classifier.weights().filter(({ name }) => !name.includes('moving_')));
    const optimiser =
      options.kind === 'sgd'
        ? tf.train.momentum(LEARNING_RATE, options.momentum, options.nesterov)
        : tf.train.adam(LEARNING_RATE, options.beta1, options.beta2, options.epsilon);
    const x = tf.tensor4d(images, [batch, 7, 6, 3]);
    const y = tf.tensor2d(targets, [batch, classes]);
    classifier.images.set(images);
    classifier.targets.set(targets);
    for (let step = 0; step < STEPS; step++) {
      const decayed = [...variables.values()].map((variable) => tf.mul(variable, LEARNING_RATE * options.weightDecay));
      const expected = optimiser.minimize(() => {
        const logits = tfForward(network, variables, x, seed, step);
        const penalty = tf.mul(0.01, tf.sum(tf.square(variables.get('g/kernel')!)));
        return tf.add<tf.Scalar>(tf.losses.softmaxCrossEntropy(y, logits), penalty);
      }, true)!;
      [...variables.values()].forEach((variable, i) => variable.assign(tf.sub(variable, decayed[i]!)));
      const measured = classifier.trainStep(batch, LEARNING_RATE);
      expect(Math.abs(measured - expected.dataSync()[0]!) / measured).toBeLessThan(TOLERANCE);
    }
    const trained = classifier.weights().filter(({ name }) => !name.includes('moving_'));
    expect(relativeError(trained, variables)).toBeLessThan(TOLERANCE);
  });

  it('the CVAE', () => {
    const [batch, pixels, classes, latent] = [6, 16, 3, 2];
    const cvae = new KernelCvae(
      {
        shape: { height: 4, width: 4, channels: 1 },
        classes,
        latent,
        architecture: { kind: 'dense', hidden: [12, 8] },
        batch,
        seed: 1,
        optimiser: DEFAULT_ADAM,
      },
      instantiate,
    );
    const images = uniform(batch * pixels, 'images');
    const conditions = answers(batch, classes);
    const noise = uniform(batch * latent, 'noise').map((value) => 4 * value - 2);
    const variables = variablesOf(cvae.weights());
    const optimiser = tf.train.adam(LEARNING_RATE, DEFAULT_ADAM.beta1, DEFAULT_ADAM.beta2, DEFAULT_ADAM.epsilon);
    const x = tf.tensor2d(images, [batch, pixels]);
    const condition = tf.tensor2d(conditions, [batch, classes]);
    const e = tf.tensor2d(noise, [batch, latent]);
    const forward = () => {
      let h: tf.Tensor2D = tf.concat([x, condition], 1);
      for (const name of ['encoder/dense1', 'encoder/dense2']) h = tf.relu(denseOf(variables, h, name));
      const [mean, logVariance] = tf.split(denseOf(variables, h, 'encoder/latent'), 2, 1) as [tf.Tensor2D, tf.Tensor2D];
      const z = tf.add<tf.Tensor2D>(mean, tf.mul(tf.exp(tf.mul(logVariance, 0.5)), e));
      h = tf.concat([z, condition], 1);
      for (const name of ['decoder/dense1', 'decoder/dense2']) h = tf.relu(denseOf(variables, h, name));
      const logits = denseOf(variables, h, 'decoder/pixels');
      // −x·log σ(l) − (1 − x)·log(1 − σ(l)) = softplus(l) − x·l
      const reconstruction = tf.sum(tf.sub(tf.softplus(logits), tf.mul(x, logits)));
      const divergence = tf.mul(
        -0.5,
        tf.sum(tf.sub(tf.sub(tf.add(logVariance, 1), tf.square(mean)), tf.exp(logVariance))),
      );
      return tf.div<tf.Scalar>(tf.add(reconstruction, divergence), batch);
    };
    cvae.images.set(images);
    cvae.conditions.set(conditions);
    cvae.noise.set(noise);
    for (let step = 0; step < STEPS; step++) {
      const expected = optimiser.minimize(forward, true)!.dataSync()[0]!;
      const measured = cvae.trainStep(batch, LEARNING_RATE);
      expect(Math.abs(measured - expected) / expected).toBeLessThan(TOLERANCE);
    }
    expect(relativeError(cvae.weights(), variables)).toBeLessThan(TOLERANCE);
    const z = uniform(batch * latent, 'z');
    let h: tf.Tensor2D = tf.concat([tf.tensor2d(z, [batch, latent]), condition], 1);
    for (const name of ['decoder/dense1', 'decoder/dense2']) h = tf.relu(denseOf(variables, h, name));
    const decoded = tf.sigmoid(denseOf(variables, h, 'decoder/pixels')).dataSync();
    cvae.decode(z, conditions, batch).forEach((value, i) => expect(value).toBeCloseTo(decoded[i]!, 4));
  });
});
