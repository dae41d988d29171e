import { RandomStream } from '@bbdistill/common';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { DEFAULT_ADAM, DEFAULT_SGD, NanLossError } from '../engine.js';
import type { Classifier, Engine, OptimiserOptions } from '../engine.js';
import { createEngine } from '../engines/select.js';
import { networkByName } from '../networks.js';
import { startParallelTraining } from './parallel-training.js';
import { partsOf } from './shared-training.js';
import { assertThreadsFit } from './thread-limit.js';
import { startTraining } from './training.js';
import type { TrainedClassifier, Training, TrainingOptions } from './training.js';

const SHAPE = { height: 12, width: 12, channels: 1 };
const PIXELS = 144;
const CLASSES = 3;
const COUNT = 40;
const AUGMENTED = { mixupAlpha: 0.4, rotationDegrees: 10, shift: 0.1, flip: true };

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('wasm', 'never');
});

const open: Training[] = [];
afterEach(async () => {
  for (const training of open.splice(0)) await training.close();
});

const OPTIMISERS: [string, OptimiserOptions][] = [
  ['AdamW', { ...DEFAULT_ADAM, weightDecay: 0.01 }],
  ['SGD with momentum', { ...DEFAULT_SGD, weightDecay: 0.01 }],
  ['SGD with Nesterov momentum', { ...DEFAULT_SGD, nesterov: true }],
];
const dyingFollower = (name: string) => new URL(`../../../../test/fixtures/training/${name}.mjs`, import.meta.url);

function options(batch: number, optimiser = OPTIMISERS[0]![1]): TrainingOptions {
  const random = new RandomStream(1, 'images');
  const targets = new Float32Array(COUNT * CLASSES);
  for (let n = 0; n < COUNT; n++) targets[n * CLASSES + (n % CLASSES)] = 1;
  return {
    classifier: {
      network: networkByName('lenet5-half', SHAPE, CLASSES),
      batch,
      seed: 1,
      loss: { balance: 0.2, temperature: 2 },
      optimiser,
      ema: { decay: 0.9 },
    },
    rows: { pixels: Uint8Array.from({ length: COUNT * PIXELS }, () => random.integer(256)), targets },
    count: COUNT,
    shape: SHAPE,
    classes: CLASSES,
    seed: 5,
    augmentation: AUGMENTED,
  };
}

async function started(
  threads: number,
  batch: number,
  checkpoint?: Uint8Array,
  optimiser?: OptimiserOptions,
): Promise<Training> {
  const given = options(batch, optimiser);
  const training =
    threads === 1
      ? startTraining(engine, given, checkpoint)
      : await startParallelTraining(engine, given, threads, checkpoint);
  open.push(training);
  return training;
}

function steps(training: Training, from: number, to: number, rate = 1e-3): number[] {
  return Array.from({ length: to - from }, (_, i) => training.step(from + i, rate / (1 + from + i)));
}

function flatWeights(classifier: TrainedClassifier): Float32Array {
  return Float32Array.from(classifier.weights().flatMap(({ data }) => [...data]));
}

function flatAverages(classifier: TrainedClassifier): Float32Array {
  return Float32Array.from(classifier.averagedWeights().flatMap(({ data }) => [...data]));
}

function largestDifference(a: Float32Array, b: Float32Array): number {
  return a.reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i]!)), 0);
}

describe('parallel training - what it computes', () => {
  it.each([
    [2, 8],
    [3, 8],
    [2, 7],
  ])('on %i threads with batch %i is the training of one thread, but for rounding', async (threads, batch) => {
    const alone = await started(1, batch);
    const together = await started(threads, batch);
    const lossesAlone = steps(alone, 0, 12);
    const losses = steps(together, 0, 12);
    losses.forEach((loss, step) => expect(loss).toBeCloseTo(lossesAlone[step]!, 4));
    expect(largestDifference(flatWeights(together.classifier), flatWeights(alone.classifier))).toBeLessThan(1e-4);
  });

  it.each(OPTIMISERS)('with %s every slice of weights and averages moves as it would alone', async (_, optimiser) => {
    const alone = await started(1, 8, undefined, optimiser);
    const together = await started(3, 8, undefined, optimiser);
    const rate = optimiser.kind === 'sgd' ? 0.03 : 1e-3;
    steps(alone, 0, 6, rate);
    steps(together, 0, 6, rate);
    expect(largestDifference(flatWeights(together.classifier), flatWeights(alone.classifier))).toBeLessThan(1e-5);
    expect(largestDifference(flatAverages(together.classifier), flatAverages(alone.classifier))).toBeLessThan(1e-5);
    expect(largestDifference(flatAverages(alone.classifier), flatWeights(alone.classifier))).toBeGreaterThan(1e-4);
  });

  it('shows whole averages and checkpoints in the midst of a training without changing it', async () => {
    const [looked, left] = [await started(3, 8), await started(3, 8)];
    steps(looked, 0, 2);
    const averages = flatAverages(looked.classifier);
    looked.classifier.checkpoint();
    expect(largestDifference(flatAverages(looked.classifier), averages)).toBe(0);
    expect(steps(looked, 2, 5)).toEqual(steps(left, 0, 5).slice(2));
    expect(Buffer.compare(looked.classifier.checkpoint(), left.classifier.checkpoint())).toBe(0);
  });

  it('gives the same bits for the same number of threads', async () => {
    const [first, second] = [await started(2, 8), await started(2, 8)];
    expect(steps(second, 0, 8)).toEqual(steps(first, 0, 8));
    expect(flatWeights(second.classifier)).toEqual(flatWeights(first.classifier));
  });

  it('goes on from a checkpoint with the same bits', async () => {
    const whole = await started(2, 8);
    steps(whole, 0, 3);
    const checkpoint = whole.classifier.checkpoint();
    const rest = steps(whole, 3, 7);
    const resumed = await started(2, 8, checkpoint);
    expect(steps(resumed, 3, 7)).toEqual(rest);
    expect(Buffer.compare(resumed.classifier.checkpoint(), whole.classifier.checkpoint())).toBe(0);
  });

  it('takes no more threads than a batch has images', async () => {
    const training = await started(5, 2);
    expect(training.threads).toBe(2);
    expect(steps(training, 0, 2).every(Number.isFinite)).toBe(true);
  });

  it.each([
    [6, 16, 2],
    [2, 15, 1],
  ])(
    'of %i threads, batch norm takes no more than batch %i leaves 8 images each: %i',
    async (threads, batch, taken) => {
      const given = options(batch);
      const classifier = { ...given.classifier, network: networkByName('resnet20', SHAPE, CLASSES) };
      const training = await startParallelTraining(engine, { ...given, classifier }, threads);
      open.push(training);
      expect(training.threads).toBe(taken);
      expect(steps(training, 0, 2).every(Number.isFinite)).toBe(true);
    },
  );

  it('threads that leave batch norm fewer than 8 images each are refused with both settings', () => {
    const network = networkByName('resnet20', SHAPE, CLASSES);
    const refusal = (threads: number, batch: number) => catching(() => assertThreadsFit(network, batch, threads));
    expect(refusal(9, 64)).toMatchObject({
      code: 'THREADS_BEYOND_BATCH',
      message: expect.stringMatching(
        /threads is 9 and recipe\.batch is 64, .* set threads to 8 or fewer, or recipe\.batch to 72 or more/,
      ) as unknown,
    });
    expect(refusal(2, 15)).toMatchObject({ message: expect.stringMatching(/set threads to 1, or/) as unknown });
    expect([refusal(8, 64), refusal(2, 16), refusal(1, 4), refusal(0, 4)]).toEqual(Array(4).fill(undefined));
    const withoutNorm = networkByName('lenet5-half', SHAPE, CLASSES);
    expect(() => assertThreadsFit(withoutNorm, 4, 64)).not.toThrow();
  });

  it('shares a batch as evenly as can be', () => {
    expect(partsOf(64, 2).map(({ count }) => count)).toEqual([32, 32]);
    expect(partsOf(7, 3)).toEqual([
      { first: 0, count: 2 },
      { first: 2, count: 2 },
      { first: 4, count: 3 },
    ]);
  });
});

describe('parallel training - failures', () => {
  it.each([0, 7])('a loss that is not a number is told with its step, whoever meets it (image %i)', async (image) => {
    const broken = options(8);
    // Unmixed, so that only one thread's part has the broken answer.
    const augmentation = { ...AUGMENTED, mixupAlpha: 0 };
    const order = new RandomStream(broken.seed, 'shuffle', 0).permutation(COUNT);
    broken.rows.targets[order[2 * 8 + image]! * CLASSES] = NaN;
    const training = await startParallelTraining(engine, { ...broken, augmentation }, 2);
    open.push(training);
    expect(steps(training, 0, 2).every(Number.isFinite)).toBe(true);
    const before = flatWeights(training.classifier);
    expect(() => training.step(2, 1e-3)).toThrow(NanLossError);
    expect(() => training.step(2, 1e-3)).toThrow(/at step 3, first in targets/);
    expect(flatWeights(training.classifier)).toEqual(before);
  });

  it.each([1, 2])('a loss that is not a number is told with its layer on %i threads', async (threads) => {
    const training = await started(threads, 8);
    const failure = (): NanLossError => {
      for (let step = 0; ; step++) {
        try {
          training.step(step, 1e30);
        } catch (error) {
          return error as NanLossError;
        }
      }
    };
    const { step, layer, loss } = failure();
    expect(step).toBeGreaterThan(1);
    expect(loss).not.toBeLessThan(Infinity);
    expect(options(8).classifier.network.layers.map(({ name }) => name)).toContain(layer);
  });

  it('a thread that is gone in the midst of a step is noticed at once, and told with how it went', async () => {
    const training = await startParallelTraining(
      ...([engine, options(8), 2, undefined, dyingFollower('dying-follower')] as const),
    );
    open.push(training);
    const lost = { code: 'WORKER_LOST', retryable: true };
    expect(catching(() => training.step(0, 1e-3))).toMatchObject(lost);
    expect(catching(() => training.step(0, 1e-3))).toMatchObject(lost);
    expect(catching(() => training.classifier.checkpoint())).toMatchObject(lost);
  });

  it('says how the thread went', async () => {
    const training = await startParallelTraining(
      ...([engine, options(8), 3, undefined, dyingFollower('dying-follower')] as const),
    );
    open.push(training);
    expect(() => training.step(0, 1e-3)).toThrow(/ended by itself \(exit code 3/);
  });

  it('a thread that does not come to life fails the start', async () => {
    await expect(
      startParallelTraining(engine, options(8), 2, undefined, dyingFollower('stillborn-follower')),
    ).rejects.toThrow(/ended by itself .*no memory for it/);
  });

  it('an engine whose steps are of one piece is refused', async () => {
    const whole: Engine = {
      ...engine,
      createClassifier(given) {
        const classifier = engine.createClassifier(given);
        const { network, parameterCount } = classifier;
        return { network, parameterCount, dispose: () => classifier.dispose() } as Classifier;
      },
    };
    await expect(startParallelTraining(whole, options(8), 2)).rejects.toMatchObject({ code: 'ENGINE_NOT_PARALLEL' });
  });
});

function catching(run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    return error;
  }
}
