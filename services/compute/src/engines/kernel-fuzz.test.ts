import { RandomStream } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { kernelFamilies } from '../../../../test/helpers/kernel-families.js';
import type { KernelFamily } from '../../../../test/helpers/kernel-families.js';
import { DEFAULT_ADAM } from '../engine.js';
import { NanLossError } from '../engine.js';
import type { LayerSpec, NetworkSpec } from '../engine.js';
import { networkByName } from '../networks.js';
import { KernelClassifier } from './kernel-classifier.js';

// What differs between the builds of the kernels is the width of their vectors: edges, frames and left-over lanes.
// WebAssembly, which the oracles check, is what the others are held to, over networks of random shapes.

const CASES = 24;
const LOSS = { balance: 0.25, temperature: 2 };
const [WASM, ...NATIVES] = kernelFamilies() as [KernelFamily, ...KernelFamily[]];

function randomNetwork(random: RandomStream): NetworkSpec {
  const between = (low: number, high: number) => low + random.integer(high - low + 1);
  const conv = (name: string): LayerSpec => ({
    kind: 'conv2d',
    name,
    filters: between(1, 18),
    kernelSize: between(1, 4),
    padding: random.integer(2) === 0 ? 'same' : 'valid',
    activation: random.integer(4) === 0 ? 'linear' : 'relu',
  });
  const pools: LayerSpec[][] = [
    [],
    [{ kind: 'max-pool2d', name: 'pool', poolSize: 2 }],
    [{ kind: 'max-pool2d', name: 'pool', poolSize: 3 }],
  ];
  const classes = between(2, 11);
  return {
    name: 'random',
    input: { height: between(15, 20), width: between(15, 20), channels: between(1, 3) },
    classes,
    layers: [
      conv('conv1'),
      ...(pools[random.integer(3)] ?? []),
      conv('conv2'),
      { kind: 'flatten', name: 'flatten' },
      { kind: 'dense', name: 'hidden', units: between(1, 20), activation: 'linear' },
      { kind: 'dense', name: 'logits', units: classes, activation: 'linear' },
    ],
  };
}

function gradientsOf(family: KernelFamily, seed: number) {
  const random = new RandomStream(seed, 'fuzz');
  const network = randomNetwork(random);
  const batch = 1 + random.integer(9);
  const count = 1 + random.integer(batch);
  const classifier = new KernelClassifier(
    { network, batch, seed, loss: LOSS, optimiser: DEFAULT_ADAM },
    family.instantiate,
  );
  // Sums of such numbers are exact, fused or not: every build lets the same pixels through its pools and ReLUs.
  classifier.setWeights(
    classifier
      .weights()
      .map((tensor) =>
        tensor.name.startsWith('conv')
          ? { ...tensor, data: tensor.data.map(() => (random.integer(5) - 2) / 8) }
          : tensor,
      ),
  );
  const pixels = classifier.images.length / batch;
  // What lies behind the images of a step may be anything.
  classifier.images.fill(NaN);
  classifier.targets.fill(NaN);
  for (let i = 0; i < count * pixels; i++) classifier.images[i] = random.integer(16) / 16;
  for (let i = 0; i < count * network.classes; i++) classifier.targets[i] = 1 / network.classes;
  for (let row = 0; row < count; row++) classifier.targets[row * network.classes] = 0;
  const loss = classifier.computeGradients(count, 0);
  const result = { loss, gradients: classifier.gradients.slice() };
  classifier.dispose();
  return result;
}

const seeds = Array.from({ length: CASES }, (_, i) => i + 1);

describe.each(NATIVES)('$name engine - random networks', (family) => {
  it.each(seeds)('give the gradients of WebAssembly (seed %i)', (seed) => {
    const [expected, actual] = [gradientsOf(WASM, seed), gradientsOf(family, seed)];
    expect(Math.abs(actual.loss - expected.loss)).toBeLessThan(1e-5 * expected.loss);
    const largest = expected.gradients.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    const error = expected.gradients.reduce((a, b, i) => Math.max(a, Math.abs(b - actual.gradients[i]!)), 0);
    expect(largest).toBeGreaterThan(0);
    expect(error / largest).toBeLessThan(1e-4);
  });
});

describe.each(kernelFamilies())('$name engine - over 10 000 steps', ({ engine }) => {
  it('heap, external memory and the network stay as they are; denormals give finite weights', () => {
    const network: NetworkSpec = {
      name: 'tiny',
      input: { height: 4, width: 4, channels: 1 },
      classes: 2,
      layers: [
        { kind: 'conv2d', name: 'conv', filters: 2, kernelSize: 3, padding: 'same', activation: 'relu' },
        { kind: 'max-pool2d', name: 'pool', poolSize: 2 },
        { kind: 'flatten', name: 'flatten' },
        { kind: 'dense', name: 'logits', units: 2, activation: 'linear' },
      ],
    };
    const classifier = engine.createClassifier({ network, batch: 3, seed: 1, loss: LOSS, optimiser: DEFAULT_ADAM });
    classifier.images.fill(1e-40);
    classifier.targets.fill(0.5);
    const train = (steps: number) => {
      for (let i = 0; i < steps; i++) classifier.trainStep(3, 1e-3);
      const { heapUsed, external } = process.memoryUsage();
      return { heapUsed, external, network: classifier.memoryBytes() };
    };
    const before = train(1000);
    const after = train(10_000);
    // An object of 64 bytes a step would be more.
    expect(after.heapUsed - before.heapUsed).toBeLessThan(640_000);
    expect(after.external - before.external).toBeLessThan(10_000);
    expect(after.network).toBe(before.network);
    expect(classifier.weights().every(({ data }) => data.every(Number.isFinite))).toBe(true);
  });
});

function randomGraph(random: RandomStream): NetworkSpec {
  const between = (low: number, high: number) => low + random.integer(high - low + 1);
  const padding = () => (random.integer(2) === 0 ? 'same' : 'valid');
  const layers: LayerSpec[] = [
    {
      kind: 'conv2d',
      name: 'first',
      filters: between(1, 19),
      kernelSize: between(1, 3),
      padding: 'same',
      activation: 'linear',
    },
  ];
  const channels = (layers[0] as { filters: number }).filters;
  for (let at = 0; at < 4; at++) {
    const name = `layer${at}`;
    const before = layers.at(-1)!.name;
    switch (random.integer(7)) {
      case 0:
        layers.push({
          ...{ kind: 'conv2d', name, filters: between(1, 20), padding: 'same', activation: 'linear' },
          ...{ kernelSize: [between(1, 3), between(1, 3)], strides: [between(1, 2), between(1, 2)] },
        });
        break;
      case 1:
        layers.push({
          ...{ kind: 'conv2d-transpose', name, filters: between(1, 20), padding: padding(), activation: 'linear' },
          ...{ kernelSize: between(1, 4), strides: between(1, 3), useBias: false },
        });
        break;
      case 2:
        layers.push({ kind: 'max-pool2d', name, poolSize: between(1, 3), strides: between(1, 2), padding: 'same' });
        break;
      case 3:
        layers.push({ kind: 'average-pool2d', name, poolSize: [1, 2], padding: 'same' });
        break;
      case 4:
        layers.push({ kind: 'dropout', name, rate: random.uniform() / 2 });
        break;
      case 5:
        layers.push({ kind: 'add', name, inputs: [before, before] });
        break;
      default:
        layers.push({ kind: 'concat', name, inputs: [before, before] });
    }
  }
  const classes = between(2, 9);
  return {
    name: `random of ${channels}`,
    input: { height: between(4, 9), width: between(4, 9), channels: between(1, 4) },
    classes,
    layers: [
      ...layers,
      { kind: 'flatten', name: 'flatten' },
      { kind: 'dense', name: 'logits', units: classes, activation: 'linear' },
    ],
  };
}

function graphGradients(family: KernelFamily, seed: number) {
  const random = new RandomStream(seed, 'graph-fuzz');
  const network = randomGraph(random);
  const batch = 1 + random.integer(5);
  const count = 1 + random.integer(batch);
  const options = { network, batch, seed, loss: LOSS, optimiser: DEFAULT_ADAM };
  const classifier = new KernelClassifier(options, family.instantiate);
  classifier.setWeights(
    classifier.weights().map((tensor) => ({ ...tensor, data: tensor.data.map(() => (random.integer(9) - 4) / 16) })),
  );
  const pixels = classifier.images.length / batch;
  classifier.images.fill(NaN);
  classifier.targets.fill(NaN);
  for (let i = 0; i < count * pixels; i++) classifier.images[i] = random.integer(16) / 16;
  for (let i = 0; i < count * network.classes; i++) classifier.targets[i] = 1 / network.classes;
  const loss = classifier.computeGradients(count, 0);
  const gradients = classifier.gradients.slice();
  classifier.dispose();
  return { loss, gradients };
}

describe.each(NATIVES)('$name engine - random graphs', (family) => {
  it.each(seeds)('give the gradients of WebAssembly (seed %i)', (seed) => {
    const [expected, actual] = [graphGradients(WASM, seed), graphGradients(family, seed)];
    expect(Math.abs(actual.loss - expected.loss)).toBeLessThan(1e-5 * expected.loss + 1e-6);
    const largest = expected.gradients.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
    const error = expected.gradients.reduce((a, b, i) => Math.max(a, Math.abs(b - actual.gradients[i]!)), 0);
    expect(error).toBeLessThan(1e-4 * largest + 1e-9);
  });
});

describe.each(kernelFamilies())('$name engine - what is not a number', ({ engine }) => {
  const shape = { height: 16, width: 16, channels: 3 };
  const started = (name: string, batch = 3) => {
    const options = { network: networkByName(name, shape, 4), batch, seed: 1, loss: LOSS, optimiser: DEFAULT_ADAM };
    const classifier = engine.createClassifier(options);
    const random = new RandomStream(1, 'images');
    for (let i = 0; i < classifier.images.length; i++) classifier.images[i] = random.uniform();
    for (let n = 0; n < batch; n++) classifier.targets[4 * n + (n % 4)] = 1;
    return classifier;
  };
  const failureOf = (work: () => unknown): NanLossError => {
    try {
      work();
    } catch (error) {
      if (error instanceof NanLossError) return error;
      throw error;
    }
    throw new Error('the step went well');
  };

  it.each(['alexnet-half', 'resnet20', 'lenet5'])(
    'in an image of %s is told with its step and changes nothing',
    (name) => {
      const classifier = started(name);
      classifier.trainStep(3, 1e-3);
      const before = classifier.weights();
      classifier.images[40] = Infinity;
      const failure = failureOf(() => classifier.trainStep(3, 1e-3));
      expect(failure).toMatchObject({ code: 'NAN_LOSS', step: 2, layer: 'image' });
      expect(classifier.weights()).toEqual(before);
    },
  );

  it.each([
    ['alexnet-half', 'conv3/kernel', 'conv3'],
    ['alexnet-half', 'norm2/gamma', 'norm2'],
    ['resnet20', 'stack2/block1/shortcut/kernel', 'stack2/block1/shortcut'],
    ['resnet20', 'logits/bias', 'logits'],
  ])('in the weights of %s is told with the layer of %s', (name, tensor, layer) => {
    const classifier = started(name);
    const broken = classifier.weights().map((weight) => {
      if (weight.name !== tensor) return weight;
      return { ...weight, data: weight.data.map((value, i) => (i === 0 ? NaN : value)) };
    });
    classifier.setWeights(broken);
    const failure = failureOf(() => classifier.trainStep(3, 1e-3));
    expect(failure).toMatchObject({ step: 1, layer });
    expect(failure.message).toContain(`at step 1, first in ${layer};`);
  });

  it('in the answers is told as targets', () => {
    const classifier = started('resnet20');
    classifier.targets[5] = NaN;
    expect(failureOf(() => classifier.trainStep(3, 1e-3))).toMatchObject({ layer: 'targets' });
  });

  it.each(['alexnet-half', 'resnet20'])('never comes of one image alone, or of denormals (%s)', (name) => {
    const classifier = started(name, 1);
    for (let step = 0; step < 3; step++) expect(classifier.trainStep(1, 1e-3)).toBeGreaterThanOrEqual(0);
    classifier.images.fill(1e-40);
    for (let step = 0; step < 3; step++) expect(classifier.trainStep(1, 1e-3)).toBeGreaterThanOrEqual(0);
    expect(classifier.weights().every(({ data }) => data.every(Number.isFinite))).toBe(true);
  });
});
