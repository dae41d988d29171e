import { RandomStream } from '@bbdistill/common';
import { DEFAULT_ADAM, DEFAULT_SGD, NanLossError } from '@bbdistill/compute';
import type {
  Classifier,
  ClassifierOptions,
  Cvae,
  CvaeArchitecture,
  CvaeOptions,
  Engine,
  LayerSpec,
  LossOptions,
  NetworkSpec,
  OptimiserOptions,
  WeightTensor,
} from '@bbdistill/compute';
import { describe, expect, it } from 'vitest';
import { createWasmEngine } from '../../services/compute/src/engines/wasm.js';

/** What every engine promises besides speed, against our WebAssembly, on inputs that a slow backend can bear. */
export interface EngineUnderTest {
  engine: Engine;
  /** Tensors alive, where they can be counted from here. */
  liveTensors?: () => number;
}

const CLASSES = 4;
const BATCH = 5;
const STEPS = 30;
const RATE = 2e-3;
const TOLERANCE = 1e-4;
/** TensorFlow.js takes a second for what the kernels do in a millisecond. */
const TIMEOUT_MS = 120_000;
const SHAPE = { height: 8, width: 8, channels: 2 };
const PAPER_LOSS: LossOptions = { balance: 0, temperature: 1 };

const conv = (name: string, filters: number, more: object = {}): LayerSpec => ({
  ...{ kind: 'conv2d', name, filters, kernelSize: 3, padding: 'same', activation: 'relu' },
  ...more,
});
const dense = (name: string, units: number, activation: 'linear' | 'relu' | 'sigmoid' = 'relu'): LayerSpec => ({
  ...{ kind: 'dense', name, units, activation },
});
const head: LayerSpec[] = [{ kind: 'flatten', name: 'flatten' }, dense('logits', CLASSES, 'linear')];

/** Together they have every layer that an engine knows. */
const NETWORKS: Readonly<Record<string, readonly LayerSpec[]>> = {
  'LeNet-like': [
    conv('conv1', 3, { kernelSize: 5, padding: 'valid' }),
    { kind: 'max-pool2d', name: 'pool1', poolSize: 2 },
    conv('conv2', 4),
    { kind: 'flatten', name: 'flatten' },
    dense('dense1', 6, 'sigmoid'),
    dense('logits', CLASSES, 'linear'),
  ],
  'AlexNet-like': [
    conv('conv1', 4, { kernelSize: 5 }),
    { kind: 'max-pool2d', name: 'pool1', poolSize: 3, strides: 2 },
    { kind: 'batch-norm', name: 'norm1' },
    { kind: 'dropout', name: 'dropout-of-image', rate: 0.2 },
    { kind: 'flatten', name: 'flatten' },
    dense('dense1', 10),
    { kind: 'dropout', name: 'dropout1', rate: 0.5 },
    { kind: 'batch-norm', name: 'norm2', momentum: 0.9, epsilon: 0.1 },
    dense('logits', CLASSES, 'linear'),
  ],
  'residual blocks': [
    conv('stem', 4, { activation: 'linear', useBias: false, initializer: 'he-normal', l2: 1e-2 }),
    { kind: 'batch-norm', name: 'norm' },
    { kind: 'activation', name: 'relu', activation: 'relu' },
    conv('narrow', 6, { strides: 2, activation: 'linear', l2: 1e-2 }),
    conv('shortcut', 6, { inputs: ['relu'], kernelSize: 1, strides: 2, activation: 'linear' }),
    { kind: 'add', name: 'add', inputs: ['shortcut', 'narrow'] },
    { kind: 'activation', name: 'relu2', activation: 'relu' },
    { kind: 'global-average-pool2d', name: 'pool' },
    dense('logits', CLASSES, 'linear'),
  ],
  'odd shapes and branches': [
    conv('wide', 3, { kernelSize: [2, 4], strides: [2, 1], padding: 'valid', activation: 'sigmoid' }),
    { kind: 'average-pool2d', name: 'average', poolSize: 3, strides: 2, padding: 'same' },
    { ...conv('spread', 3, { inputs: ['average'], strides: 2 }), kind: 'conv2d-transpose' } as LayerSpec,
    { ...conv('spread2', 2, { kernelSize: [3, 2], padding: 'valid' }), kind: 'conv2d-transpose' } as LayerSpec,
    { kind: 'max-pool2d', name: 'max', poolSize: [2, 3], strides: [1, 2], padding: 'same' },
    { kind: 'activation', name: 'soft', activation: 'softmax' },
    { kind: 'flatten', name: 'flat' },
    { kind: 'flatten', name: 'flat-average', inputs: ['average'] },
    { kind: 'concat', name: 'join', inputs: ['flat', 'flat-average'] },
    dense('hidden', 12, 'sigmoid'),
    { kind: 'reshape', name: 'as-image', shape: { height: 2, width: 3, channels: 2 } },
    conv('last', 2),
    ...head,
  ],
};

const LOSSES: readonly LossOptions[] = [
  { kind: 'soft-cross-entropy' },
  { balance: 0.3, temperature: 2 },
  { kind: 'kl', temperature: 3 },
  { kind: 'hard-cross-entropy' },
];

const OPTIMISERS: readonly OptimiserOptions[] = [
  { ...DEFAULT_ADAM, weightDecay: 0.01 },
  DEFAULT_SGD,
  { ...DEFAULT_SGD, nesterov: true, weightDecay: 0.01 },
];

const CVAES: readonly CvaeArchitecture[] = [
  { kind: 'dense', hidden: [12, 8] },
  { kind: 'convolutional', filters: [2, 3], hidden: [4] },
];

function networkOf(name: string, layers: readonly LayerSpec[] = NETWORKS[name]!): NetworkSpec {
  return { name, input: SHAPE, classes: CLASSES, layers };
}

function uniform(length: number, ...purpose: (string | number)[]): Float32Array {
  const random = new RandomStream(5, ...(purpose as [string, ...number[]]));
  return Float32Array.from({ length }, () => random.uniform());
}

/** Rows that sum to 1; the last image of a batch has no answer at all. */
function answers(count: number, step: number): Float32Array {
  const raw = uniform(count * CLASSES, 'answers', step).map((value) => value ** 3);
  for (let row = 0; row < count; row++) {
    const values = raw.subarray(row * CLASSES, (row + 1) * CLASSES);
    const sum = values.reduce((a, b) => a + b, 0);
    values.forEach((value, j) => (values[j] = row === count - 1 ? 0 : value / sum));
  }
  return raw;
}

function trainStep(classifier: Classifier, step: number, count = BATCH): number {
  classifier.images.set(uniform(classifier.images.length, 'images', step));
  classifier.targets.set(answers(classifier.targets.length / CLASSES, step));
  return classifier.trainStep(count, RATE);
}

function trainCvaeStep(cvae: Cvae, step: number): number {
  cvae.images.set(uniform(cvae.images.length, 'images', step));
  cvae.conditions.set(uniform(cvae.conditions.length, 'conditions', step));
  cvae.noise.set(uniform(cvae.noise.length, 'noise', step).map((value) => 4 * value - 2));
  return cvae.trainStep(BATCH, RATE);
}

/** Largest difference, relative to the largest number of its tensor. */
function relativeError(measured: readonly WeightTensor[], expected: readonly WeightTensor[]): number {
  expect(measured.map(({ name }) => name)).toEqual(expected.map(({ name }) => name));
  const errors = expected.map(({ data }, at) => {
    const largest = data.reduce((a, b) => Math.max(a, Math.abs(b)), 1e-2);
    const difference = data.reduce((a, b, i) => Math.max(a, Math.abs(b - measured[at]!.data[i]!)), 0);
    return difference / largest;
  });
  return Math.max(...errors);
}

function closeTo(measured: number, expected: number): void {
  expect(Math.abs(measured - expected)).toBeLessThan(TOLERANCE * Math.max(Math.abs(expected), 1e-3));
}

export function engineContract(name: string, start: () => Promise<EngineUnderTest>): void {
  const wasm = createWasmEngine();
  const classifierOptions = (change: Partial<ClassifierOptions> = {}): ClassifierOptions => ({
    ...{ network: networkOf('LeNet-like'), batch: BATCH, seed: 3, loss: PAPER_LOSS, optimiser: DEFAULT_ADAM },
    ...change,
  });
  const cvaeOptions = (change: Partial<CvaeOptions> = {}): CvaeOptions => ({
    ...{ shape: SHAPE, classes: CLASSES, latent: 2, architecture: { kind: 'dense', hidden: [12, 8] } },
    ...{ batch: BATCH, seed: 3, optimiser: DEFAULT_ADAM },
    ...change,
  });

  describe(`${name} - trains as WebAssembly does`, { timeout: TIMEOUT_MS }, () => {
    const trainsAlike = async (options: ClassifierOptions) => {
      const { engine } = await start();
      const [measured, expected] = [engine.createClassifier(options), wasm.createClassifier(options)];
      expect(measured.weights()).toEqual(expected.weights());
      expect(measured.parameterCount).toBe(expected.parameterCount);
      for (let step = 0; step < STEPS; step++) closeTo(trainStep(measured, step), trainStep(expected, step));
      expect(relativeError(measured.weights(), expected.weights())).toBeLessThan(TOLERANCE);
      const bytes = uniform(7 * 128, 'bytes').map((value) => value * 255);
      const asked = Uint8Array.from(bytes);
      const [some, others] = [measured.predict(asked, 7), expected.predict(asked, 7)];
      some.forEach((value, i) => expect(value).toBeCloseTo(others[i]!, 4));
      measured.dispose();
      expected.dispose();
    };

    // Not Adam: it makes steps of one size out of the rounding errors that are all the gradient which batch norm leaves
    // to the weights before it.
    it.each(Object.keys(NETWORKS))('30 steps of a network: %s', (network) =>
      trainsAlike(classifierOptions({ network: networkOf(network), optimiser: DEFAULT_SGD })),
    );

    it('30 steps of Adam', () => trainsAlike(classifierOptions()));

    it.each(LOSSES)('30 steps with the loss %j', (loss) => trainsAlike(classifierOptions({ loss })));

    it.each(OPTIMISERS)('30 steps with the optimiser %j', (optimiser) => trainsAlike(classifierOptions({ optimiser })));

    it('30 steps with running averages of the weights', async () => {
      const { engine } = await start();
      const options = classifierOptions({ network: networkOf('residual blocks'), ema: { decay: 0.8 } });
      const [measured, expected] = [engine.createClassifier(options), wasm.createClassifier(options)];
      for (let step = 0; step < STEPS / 2; step++) for (const each of [measured, expected]) trainStep(each, step);
      expect(relativeError(measured.averagedWeights(), expected.averagedWeights())).toBeLessThan(TOLERANCE);
      expected.restore(measured.checkpoint());
      for (let step = STEPS / 2; step < STEPS; step++) for (const each of [measured, expected]) trainStep(each, step);
      expect(relativeError(measured.averagedWeights(), expected.averagedWeights())).toBeLessThan(TOLERANCE);
      expect(relativeError(measured.averagedWeights(), measured.weights())).toBeGreaterThan(TOLERANCE);
    });

    it.each(CVAES)('30 steps of a CVAE, and decodes alike: %j', async (architecture) => {
      const { engine } = await start();
      const options = cvaeOptions({ architecture });
      const [measured, expected] = [engine.createCvae(options), wasm.createCvae(options)];
      expect(measured.weights()).toEqual(expected.weights());
      for (let step = 0; step < STEPS; step++) closeTo(trainCvaeStep(measured, step), trainCvaeStep(expected, step));
      expect(relativeError(measured.weights(), expected.weights())).toBeLessThan(TOLERANCE);
      const [z, conditions] = [uniform(6, 'z'), uniform(3 * CLASSES, 'decode')];
      const [some, others] = [measured.decode(z, conditions, 3), expected.decode(z, conditions, 3)];
      some.forEach((value, i) => expect(value).toBeCloseTo(others[i]!, 4));
    });

    it('goes on from a checkpoint of WebAssembly, and back', async () => {
      const { engine } = await start();
      const [whole, first] = [wasm.createClassifier(classifierOptions()), wasm.createClassifier(classifierOptions())];
      for (let step = 0; step < 6; step++) trainStep(whole, step);
      for (let step = 0; step < 2; step++) trainStep(first, step);
      const there = engine.createClassifier(classifierOptions({ seed: 8 }));
      there.restore(first.checkpoint());
      expect(there.weights()).toEqual(first.weights());
      for (let step = 2; step < 4; step++) trainStep(there, step);
      first.restore(there.checkpoint());
      for (let step = 4; step < 6; step++) trainStep(first, step);
      expect(relativeError(first.weights(), whole.weights())).toBeLessThan(TOLERANCE);
    });
  });

  describe(`${name} - keeps its promises`, () => {
    it('the same seed and calls give the same bits, also across a checkpoint', async () => {
      const { engine } = await start();
      const [whole, stopped] = [
        engine.createClassifier(classifierOptions()),
        engine.createClassifier(classifierOptions()),
      ];
      const resumed = engine.createClassifier(classifierOptions({ seed: 9 }));
      for (let step = 0; step < 6; step++) trainStep(whole, step);
      for (let step = 0; step < 3; step++) trainStep(stopped, step);
      resumed.restore(stopped.checkpoint());
      for (let step = 3; step < 6; step++) trainStep(resumed, step);
      expect(resumed.weights()).toEqual(whole.weights());
    });

    it('a part of a batch trains as in a network compiled for it, whatever lies behind it', async () => {
      const { engine } = await start();
      const [large, exact] = [
        engine.createClassifier(classifierOptions()),
        engine.createClassifier(classifierOptions({ batch: 2 })),
      ];
      large.images.fill(NaN);
      large.targets.fill(NaN);
      for (const classifier of [large, exact]) {
        classifier.images.set(uniform(2 * 128, 'part'));
        classifier.targets.set(answers(3, 0).subarray(0, 2 * CLASSES));
      }
      expect(large.trainStep(2, RATE)).toBe(exact.trainStep(2, RATE));
      expect(large.weights()).toEqual(exact.weights());
    });

    it('batch norm - after a few steps its averages hold what was seen, not what they began with', async () => {
      const { engine } = await start();
      const network = networkOf('norm', [{ kind: 'batch-norm', name: 'norm' }, ...head]);
      const classifier = engine.createClassifier(classifierOptions({ network }));
      for (let step = 0; step < 4; step++) trainStep(classifier, 0);
      const ofChannel = (c: number) => [...classifier.images].filter((_, i) => i % SHAPE.channels === c);
      const meanOf = (values: readonly number[]) => values.reduce((a, b) => a + b, 0) / values.length;
      const initial = (1 / 10) * (2 / 11) * (3 / 12) * (4 / 13);
      const moving = (of: string) => [...classifier.weights().find(({ name }) => name === `norm/moving_${of}`)!.data];
      for (let c = 0; c < SHAPE.channels; c++) {
        const mean = meanOf(ofChannel(c));
        const variance = meanOf(ofChannel(c).map((value) => (value - mean) ** 2));
        expect(moving('mean')[c]).toBeCloseTo((1 - initial) * mean, 5);
        expect(moving('variance')[c]).toBeCloseTo((1 - initial) * variance + initial, 5);
      }
      classifier.dispose();
    });

    it('steps, predictions, failures and disposal leave no tensor behind', async () => {
      const { engine, liveTensors = () => 0 } = await start();
      const before = liveTensors();
      const classifier = engine.createClassifier(classifierOptions({ loss: { balance: 0.5, temperature: 2 } }));
      const cvae = engine.createCvae(cvaeOptions());
      const compiled = liveTensors();
      const bytes = classifier.memoryBytes();
      for (let step = 0; step < 3; step++) {
        trainStep(classifier, step);
        trainCvaeStep(cvae, step);
        classifier.predict(new Uint8Array(300 * 128), 300);
        cvae.decode(new Float32Array(600), new Float32Array(300 * CLASSES), 300);
        classifier.restore(classifier.checkpoint());
        classifier.setWeights(classifier.averagedWeights());
        classifier.images[0] = NaN;
        expect(() => classifier.trainStep(BATCH, RATE)).toThrow(NanLossError);
        expect(liveTensors()).toBe(compiled);
      }
      expect(classifier.memoryBytes()).toBe(bytes);
      classifier.dispose();
      cvae.dispose();
      expect(liveTensors()).toBe(before);
      expect([classifier.memoryBytes(), cvae.memoryBytes()]).toEqual([0, 0]);
      expect(() => classifier.trainStep(1, RATE)).toThrow(/disposed/);
      expect(() => cvae.images).toThrow(/disposed/);
    });

    it('a loss that is no number is told with step and layer, and changes nothing', async () => {
      const { engine } = await start();
      const classifier = engine.createClassifier(classifierOptions());
      trainStep(classifier, 0);
      const before = classifier.weights();
      const told = (layer: string) =>
        expect(() => classifier.trainStep(BATCH, RATE)).toThrow(
          expect.objectContaining({ name: 'NanLossError', step: 2, layer }) as Error,
        );
      classifier.images[3] = NaN;
      told('image');
      classifier.images[3] = 0;
      classifier.targets[1] = Infinity;
      told('targets');
      expect(classifier.weights()).toEqual(before);
      classifier.setWeights(
        before.map((tensor) =>
          tensor.name === 'dense1/bias' ? { ...tensor, data: tensor.data.map(() => Infinity) } : tensor,
        ),
      );
      classifier.targets.set(answers(BATCH, 0));
      classifier.setWeights(
        before.map((tensor) =>
          tensor.name === 'conv2/bias' ? { ...tensor, data: tensor.data.map(() => NaN) } : tensor,
        ),
      );
      told('conv2');
      classifier.setWeights(before);
      expect(Number.isFinite(trainStep(classifier, 1))).toBe(true);
    });

    it('a CVAE whose noise is no number is told, and goes on', async () => {
      const { engine } = await start();
      const cvae = engine.createCvae(cvaeOptions());
      trainCvaeStep(cvae, 0);
      const before = cvae.weights();
      cvae.noise[1] = NaN;
      expect(() => cvae.trainStep(BATCH, RATE)).toThrow(/the CVAE became NaN at step 2/);
      expect(cvae.weights()).toEqual(before);
      const again = engine.createCvae(cvaeOptions({ seed: 77 }));
      again.restore(cvae.checkpoint());
      expect(trainCvaeStep(again, 1)).toBe(trainCvaeStep(cvae, 1));
    });

    it('what can not be is refused by name', async () => {
      const { engine } = await start();
      const classifier = engine.createClassifier(classifierOptions());
      expect(() => classifier.trainStep(0, RATE)).toThrow(/not 0/);
      expect(() => classifier.trainStep(BATCH + 1, RATE)).toThrow(/6 images .* at most 5/);
      expect(() => classifier.predict(new Uint8Array(10), 1)).toThrow(/images has 10 elements, fewer than 128/);
      expect(() => classifier.setWeights(classifier.weights().slice(1))).toThrow(/conv1\/kernel is missing/);
      expect(() => engine.createClassifier(classifierOptions({ batch: 0 }))).toThrow(/batch .* not 0/);
      const badOptimiser = { ...DEFAULT_ADAM, beta1: 1 };
      expect(() => engine.createClassifier(classifierOptions({ optimiser: badOptimiser }))).toThrow(/beta1 .* not 1/);
      const flatless = networkOf('flatless', [conv('conv1', 2), ...head.slice(1)]);
      expect(() => engine.createClassifier(classifierOptions({ network: flatless }))).toThrow(/logits .* flat input/);
      expect(() => engine.createCvae(cvaeOptions({ latent: 0 }))).toThrow(/latent .* not 0/);
    });
  });
}
