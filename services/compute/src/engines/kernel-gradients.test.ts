import { RandomStream, pixelsPerImage } from '@bbdistill/common';
import type { ImageShape } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { kernelFamilies } from '../../../../test/helpers/kernel-families.js';
import { referenceForward, referencePenalty } from '../../../../test/helpers/reference-network.js';
import type { Weights } from '../../../../test/helpers/reference-network.js';
import { CONDITION_INPUT, LATENT_INPUT, cvaeGraphs } from '../cvae-networks.js';
import type {
  Activation,
  CvaeArchitecture,
  CvaeOptions,
  LayerSpec,
  NetworkSpec,
  Padding,
  WeightTensor,
} from '../engine.js';
import { DEFAULT_ADAM, IMAGE_INPUT } from '../engine.js';
import { graphOf } from '../network-shapes.js';
import { KernelClassifier } from './kernel-classifier.js';
import { KernelCvae } from './kernel-cvae.js';
import type { KernelFactory } from './kernels.js';

// The oracle is the plain definition of each layer and loss in double precision, differentiated by central
// differences: what the kernels compute in another order, fused and in single precision must come close to it.

const DIFFERENCE = 1e-6;
const TOLERANCE = 2e-5;
const SEED = 3;
/** Differentiated numbers of one tensor, spread over it: the oracle is slow. */
const SAMPLES = 12;

function softmax(logits: number[], temperature: number): number[] {
  const maximum = Math.max(...logits);
  const powers = logits.map((logit) => Math.exp((logit - maximum) / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((power) => power / sum);
}

interface Mixture {
  balance: number;
  temperature: number;
}

function referenceLoss(logits: number[], target: number[], { balance, temperature }: Mixture): number {
  const hard = target.indexOf(Math.max(...target));
  const powers = target.map((p) => Math.pow(p, 1 / temperature));
  const sum = powers.reduce((a, b) => a + b, 0);
  const answer = softmax(logits, temperature);
  const divergence = powers.reduce((total, power, j) => {
    const p = power / sum;
    return p > 0 ? total + p * Math.log(p / answer[j]!) : total;
  }, 0);
  return -balance * Math.log(softmax(logits, 1)[hard]!) + (1 - balance) * temperature ** 2 * divergence;
}

function rows(flat: Float32Array, width: number, count: number): number[][] {
  return Array.from({ length: count }, (_, i) => [...flat.subarray(i * width, (i + 1) * width)]);
}

/** Largest difference between the kernels' gradients and central differences, relative to the largest gradient. */
function gradientError(loss: (weights: Weights) => number, tensors: WeightTensor[], gradients: Float32Array): number {
  const weights = new Map(tensors.map(({ name, data }) => [name, Float64Array.from(data)]));
  let at = 0;
  let largest = 0;
  let error = 0;
  for (const { name } of tensors.filter((tensor) => !/\/moving_/.test(tensor.name))) {
    const values = weights.get(name)!;
    const stride = Math.ceil(values.length / SAMPLES);
    for (let i = 0; i < values.length; i += stride) {
      const kept = values[i]!;
      values[i] = kept + DIFFERENCE;
      const above = loss(weights);
      values[i] = kept - DIFFERENCE;
      const below = loss(weights);
      values[i] = kept;
      const expected = (above - below) / (2 * DIFFERENCE);
      error = Math.max(error, Math.abs(expected - gradients[at + i]!));
      largest = Math.max(largest, Math.abs(expected));
    }
    at += values.length;
  }
  expect(at).toBe(gradients.length);
  expect(largest).toBeGreaterThan(1e-4);
  return error / largest;
}

function fill(target: Float32Array, purpose: string, normal = false): void {
  const random = new RandomStream(7, purpose);
  for (let i = 0; i < target.length; i++) target[i] = normal ? random.normal() : random.uniform();
}

/** Rows of probabilities, every second row one-hot. */
function fillTargets(target: Float32Array, classes: number): void {
  const random = new RandomStream(7, 'targets');
  for (let row = 0; row * classes < target.length; row++) {
    const values = Array.from({ length: classes }, () => random.uniform() ** 3 + 0.01);
    const sum = values.reduce((a, b) => a + b, 0);
    values.forEach((value, j) => {
      target[row * classes + j] = row % 2 === 1 ? Number(j === row % classes) : value / sum;
    });
  }
}

function checkGradients(
  instantiate: KernelFactory,
  network: NetworkSpec,
  loss: Mixture = { balance: 0, temperature: 1 },
): void {
  const batch = 5;
  // Fewer than the batch, so that rows left over from nobody would show.
  const count = 3;
  const classifier = new KernelClassifier({ network, batch, seed: SEED, loss, optimiser: DEFAULT_ADAM }, instantiate);
  const random = new RandomStream(9, 'biases');
  classifier.setWeights(
    classifier
      .weights()
      .map((tensor) =>
        tensor.name.endsWith('/bias') ? { ...tensor, data: tensor.data.map(() => random.between(-0.1, 0.2)) } : tensor,
      ),
  );
  fill(classifier.images, 'images');
  fillTargets(classifier.targets, network.classes);
  const images = rows(classifier.images, classifier.images.length / batch, count);
  const targets = rows(classifier.targets, network.classes, count);
  const graph = graphOf(network);
  const reference = (weights: Weights) => {
    const values = referenceForward(graph, weights, new Map([[IMAGE_INPUT, images]]), {
      training: { seed: SEED, step: 0 },
    });
    const logits = values.get(network.layers.at(-1)!.name)!;
    const total = logits.reduce((sum, row, n) => sum + referenceLoss(row, targets[n]!, loss), 0);
    return total / count + referencePenalty(graph, weights);
  };
  const measured = classifier.computeGradients(count, 0);
  const { gradients } = classifier;
  const tensors = classifier.weights();
  expect(measured).toBeCloseTo(reference(new Map(tensors.map(({ name, data }) => [name, Float64Array.from(data)]))), 5);
  expect(gradientError(reference, tensors, gradients)).toBeLessThan(TOLERANCE);
}

const LOGITS = (units: number) => ({ kind: 'dense', name: 'logits', units, activation: 'linear' }) as const;
const FLATTEN = { kind: 'flatten', name: 'flatten' } as const;
const POOL = { kind: 'max-pool2d', name: 'pool', poolSize: 2 } as const;
const transposed = (
  name: string,
  filters: number,
  kernelSize: number,
  strides: number,
  padding: Padding,
  activation: Activation,
): LayerSpec => ({ kind: 'conv2d-transpose', name, filters, kernelSize, strides, padding, activation });
const conv = (
  name: string,
  filters: number,
  kernelSize: number,
  padding: 'valid' | 'same',
  activation: 'linear' | 'relu' | 'sigmoid' = 'relu',
) => ({ kind: 'conv2d', name, filters, kernelSize, padding, activation }) as const;

describe.each(kernelFamilies())('$name engine - gradients against central differences', ({ instantiate }) => {
  const checkClassifier = (network: NetworkSpec, loss?: Mixture) => checkGradients(instantiate, network, loss);

  it.each(['linear', 'relu', 'sigmoid'] as const)('dense layer with %s', (activation) => {
    checkClassifier({
      name: 'dense',
      input: { height: 2, width: 3, channels: 1 },
      classes: 3,
      layers: [FLATTEN, { kind: 'dense', name: 'hidden', units: 13, activation }, LOGITS(3)],
    });
  });

  it.each([
    ['linear', 'valid', 3],
    ['relu', 'same', 3],
    ['sigmoid', 'same', 4],
    ['relu', 'valid', 1],
    ['linear', 'same', 5],
  ] as const)('convolution without a pool, %s, %s, kernel %i', (activation, padding, kernel) => {
    checkClassifier({
      name: 'conv',
      input: { height: 6, width: 5, channels: 3 },
      classes: 2,
      layers: [conv('a', 5, kernel, padding, activation), conv('b', 2, 2, 'same', activation), FLATTEN, LOGITS(2)],
    });
  });

  it.each([
    ['valid', 5, 1, 3],
    ['same', 5, 3, 6],
    ['same', 3, 2, 4],
    ['valid', 2, 3, 9],
    ['same', 4, 1, 17],
    ['same', 7, 5, 2],
    ['same', 3, 2, 1],
    ['valid', 3, 1, 11],
  ] as const)(
    'convolution fused with ReLU and pool, %s, kernel %i, %i channels, %i filters',
    (padding, kernel, channels, filters) => {
      // Odd edges, so that the pool leaves a row and a column out; a second block needs the first one's input gradient.
      checkClassifier({
        name: 'fused',
        input: { height: 9, width: 9, channels: 1 },
        classes: 3,
        layers: [
          conv('first', channels, 3, 'same'),
          conv('a', filters, kernel, padding),
          POOL,
          // Its frame of zeros must survive the vectors that the pool before it stores.
          conv('b', 2, 3, 'same', 'relu'),
          { kind: 'max-pool2d', name: 'pool2', poolSize: 2 },
          FLATTEN,
          LOGITS(3),
        ],
      });
    },
  );

  it('pool that no convolution takes with it', () => {
    checkClassifier({
      name: 'pools',
      input: { height: 9, width: 10, channels: 2 },
      classes: 3,
      layers: [
        conv('a', 3, 2, 'valid', 'sigmoid'),
        { kind: 'max-pool2d', name: 'pool2', poolSize: 2 },
        conv('b', 2, 3, 'same', 'sigmoid'),
        { kind: 'max-pool2d', name: 'pool3', poolSize: 3 },
        FLATTEN,
        LOGITS(3),
      ],
    });
  });

  const image = { height: 7, width: 6, channels: 3 };
  const first = conv('first', 4, 3, 'same', 'sigmoid');

  it.each<[string, LayerSpec[]]>([
    ['a convolution of stride 2, same', [{ ...conv('a', 5, 3, 'same'), strides: 2 }]],
    ['a convolution of stride 2, even kernel', [{ ...conv('a', 17, 4, 'same', 'linear'), strides: 2 }]],
    ['a convolution of stride 3, valid, no bias', [{ ...conv('a', 9, 2, 'valid'), strides: 3, useBias: false }]],
    ['a projection of stride 2', [{ ...conv('a', 25, 1, 'same', 'linear'), strides: 2 }]],
    ['an oblong kernel and oblong strides', [{ ...conv('a', 3, 3, 'same'), kernelSize: [2, 5], strides: [1, 2] }]],
    ['weights with l2', [{ ...conv('a', 2, 3, 'same'), l2: 0.3 }]],
    ['a transposed convolution of stride 2, same', [transposed('a', 5, 4, 2, 'same', 'relu')]],
    ['a transposed convolution of stride 2, valid', [transposed('a', 18, 3, 2, 'valid', 'linear')]],
    ['a transposed convolution of stride 1', [transposed('a', 3, 4, 1, 'same', 'sigmoid')]],
    ['a transposed convolution with gaps', [transposed('a', 3, 2, 3, 'valid', 'linear')]],
    ['an overlapping max-pool', [{ kind: 'max-pool2d', name: 'a', poolSize: 3, strides: 2 }]],
    ['a max-pool with padding', [{ kind: 'max-pool2d', name: 'a', poolSize: 3, strides: 2, padding: 'same' }]],
    ['an average pool', [{ kind: 'average-pool2d', name: 'a', poolSize: 2 }]],
    ['an average pool with padding', [{ kind: 'average-pool2d', name: 'a', poolSize: [3, 2], padding: 'same' }]],
    ['batch norm', [{ kind: 'batch-norm', name: 'a', epsilon: 0.1 }]],
    [
      'batch norm with ReLU',
      [
        { kind: 'batch-norm', name: 'a' },
        { kind: 'activation', name: 'b', activation: 'relu' },
      ],
    ],
    ['dropout', [{ kind: 'dropout', name: 'a', rate: 0.4 }]],
    ['softmax inside', [{ kind: 'activation', name: 'a', activation: 'softmax' }]],
    ['sigmoid as a layer', [{ kind: 'activation', name: 'a', activation: 'sigmoid' }]],
    [
      'a sum of three, one of them twice, with ReLU',
      [
        conv('a', 4, 3, 'same', 'linear'),
        { kind: 'batch-norm', name: 'b' },
        { kind: 'add', name: 'c', inputs: ['first', 'b', 'first', 'a'] },
        { kind: 'activation', name: 'd', activation: 'relu' },
      ],
    ],
    [
      'a concatenation before a convolution',
      [
        conv('a', 3, 3, 'same'),
        { kind: 'concat', name: 'b', inputs: ['a', 'first', 'a'] },
        { ...conv('c', 6, 3, 'same'), strides: 2 },
      ],
    ],
    [
      'a reshape between convolutions',
      [
        { kind: 'reshape', name: 'a', shape: { height: 6, width: 7, channels: 4 } },
        conv('b', 3, 3, 'same'),
        { kind: 'reshape', name: 'c', shape: { height: 7, width: 9, channels: 2 } },
        conv('d', 2, 2, 'same', 'linear'),
      ],
    ],
    [
      'a fused pool whose input others read',
      [conv('a', 5, 3, 'same'), POOL, conv('b', 3, 3, 'same'), { kind: 'max-pool2d', name: 'pool2', poolSize: 2 }],
    ],
  ])('%s', (_, layers) => {
    checkClassifier({
      name: 'any',
      input: image,
      classes: 3,
      layers: [first, ...layers, FLATTEN, LOGITS(3)],
    });
  });

  it('a global pool, and batch norm and dropout of flat values', () => {
    checkClassifier({
      name: 'flat',
      input: image,
      classes: 3,
      layers: [
        first,
        { kind: 'global-average-pool2d', name: 'pool' },
        { kind: 'dense', name: 'hidden', units: 11, activation: 'relu', useBias: false },
        { kind: 'dropout', name: 'dropout', rate: 0.5 },
        { kind: 'batch-norm', name: 'norm' },
        LOGITS(3),
      ],
    });
  });

  it.each([
    { balance: 0, temperature: 1 },
    { balance: 1, temperature: 1 },
    { balance: 0, temperature: 4 },
    { balance: 0.3, temperature: 2.5 },
  ])('distillation loss with balance $balance and temperature $temperature', (loss) => {
    checkClassifier(
      {
        name: 'loss',
        input: { height: 2, width: 2, channels: 1 },
        classes: 7,
        layers: [FLATTEN, LOGITS(7)],
      },
      loss,
    );
  });

  it.each<[CvaeArchitecture, ImageShape]>([
    [
      { kind: 'dense', hidden: [7, 5] },
      { height: 3, width: 3, channels: 1 },
    ],
    [
      { kind: 'convolutional', filters: [5, 9], hidden: [7] },
      { height: 8, width: 4, channels: 3 },
    ],
  ])('CVAE $kind: reconstruction, divergence and reparameterisation', (architecture, shape) => {
    const options: CvaeOptions = {
      shape,
      classes: 3,
      latent: 2,
      architecture,
      batch: 5,
      seed: 3,
      optimiser: DEFAULT_ADAM,
    };
    const count = 3;
    const cvae = new KernelCvae(options, instantiate);
    fill(cvae.images, 'images');
    fill(cvae.noise, 'noise', true);
    fillTargets(cvae.conditions, options.classes);
    const images = rows(cvae.images, pixelsPerImage(shape), count);
    const noise = rows(cvae.noise, options.latent, count);
    const conditions = rows(cvae.conditions, options.classes, count);
    const reference = (weights: Weights) => {
      const { encoder, decoder } = cvaeGraphs(options);
      const encoded = new Map([
        [IMAGE_INPUT, images],
        [CONDITION_INPUT, conditions],
      ]);
      const heads = referenceForward(encoder, weights, encoded).get(encoder.layers.at(-1)!.name)!;
      const { latent } = options;
      let total = 0;
      const z = heads.map((head, n) =>
        Array.from({ length: latent }, (_, j) => {
          const [mean, logVariance] = [head[j]!, head[latent + j]!];
          total -= 0.5 * (1 + logVariance - mean * mean - Math.exp(logVariance));
          return mean + Math.exp(logVariance / 2) * noise[n]![j]!;
        }),
      );
      const decoded = new Map([
        [LATENT_INPUT, z],
        [CONDITION_INPUT, conditions],
      ]);
      const logits = referenceForward(decoder, weights, decoded).get(decoder.layers.at(-1)!.name)!;
      logits.forEach((row, n) =>
        row.forEach((l, i) => {
          const p = 1 / (1 + Math.exp(-l));
          total -= images[n]![i]! * Math.log(p) + (1 - images[n]![i]!) * Math.log(1 - p);
        }),
      );
      return total / count;
    };
    const loss = cvae.computeGradients(count);
    const { gradients } = cvae;
    const tensors = cvae.weights();
    expect(loss).toBeCloseTo(reference(new Map(tensors.map(({ name, data }) => [name, Float64Array.from(data)]))), 4);
    expect(gradientError(reference, tensors, gradients)).toBeLessThan(TOLERANCE);
  });
});
