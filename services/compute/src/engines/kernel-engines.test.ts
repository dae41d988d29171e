import { createHash } from 'node:crypto';
import { InvalidArgumentError, RandomStream } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { kernelFamilies } from '../../../../test/helpers/kernel-families.js';
import type { KernelFamily } from '../../../../test/helpers/kernel-families.js';
import { DEFAULT_ADAM, NanLossError } from '../engine.js';
import type { Classifier, ClassifierOptions, Cvae, CvaeOptions, Engine, WeightTensor } from '../engine.js';
import { networkByName } from '../networks.js';

const SHAPE = { height: 12, width: 14, channels: 1 };
const PIXELS = 12 * 14;
const CLASSES = 7;
const RATE = 1e-3;

function randomBytes(count: number): Uint8Array {
  const random = new RandomStream(2, 'bytes');
  return Uint8Array.from({ length: count * PIXELS }, () => random.integer(256));
}

function fillStep(step: number, buffers: Float32Array[]): void {
  const random = new RandomStream(3, 'step', step);
  for (const buffer of buffers) for (let i = 0; i < buffer.length; i++) buffer[i] = random.uniform();
}

function fillAnswers(targets: Float32Array, classes: number): void {
  for (let row = 0; row * classes < targets.length; row++) {
    const some = targets.subarray(row * classes, (row + 1) * classes);
    const sum = some.reduce((a, b) => a + b, 0);
    some.forEach((value, j) => (some[j] = value / sum));
  }
}

function train(classifier: Classifier, from: number, to: number, count = 10): void {
  for (let step = from; step < to; step++) {
    fillStep(step, [classifier.images, classifier.targets]);
    fillAnswers(classifier.targets, CLASSES);
    classifier.trainStep(count, RATE);
  }
}

function trainCvae(cvae: Cvae, from: number, to: number): void {
  for (let step = from; step < to; step++) {
    fillStep(step, [cvae.images, cvae.conditions, cvae.noise]);
    cvae.trainStep(10, RATE);
  }
}

function digest(weights: WeightTensor[]): string {
  const hash = createHash('sha256');
  for (const { data } of weights) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest('hex').slice(0, 16);
}

function makersFor(engine: Engine) {
  return {
    newClassifier: (change: Partial<ClassifierOptions> = {}): Classifier =>
      engine.createClassifier({
        network: networkByName('lenet5-half', SHAPE, CLASSES),
        batch: 10,
        seed: 1,
        loss: { balance: 0, temperature: 1 },
        optimiser: DEFAULT_ADAM,
        ...change,
      }),
    newCvae: (change: Partial<CvaeOptions> = {}): Cvae =>
      engine.createCvae({
        shape: SHAPE,
        classes: CLASSES,
        latent: 3,
        architecture: { kind: 'dense', hidden: [20, 9] },
        batch: 10,
        seed: 1,
        optimiser: DEFAULT_ADAM,
        ...change,
      }),
  };
}

describe.each(kernelFamilies())('$name engine', ({ engine }) => {
  const { newClassifier, newCvae } = makersFor(engine);

  describe('the same bits', () => {
    it('same seed and calls give the same weights, another seed others', () => {
      const [first, second, other] = [newClassifier(), newClassifier(), newClassifier({ seed: 2 })];
      for (const classifier of [first, second, other]) train(classifier, 0, 5);
      expect(digest(second.weights())).toBe(digest(first.weights()));
      expect(digest(other.weights())).not.toBe(digest(first.weights()));
    });

    it('a classifier restored from a checkpoint goes on as if never stopped', () => {
      const whole = newClassifier();
      train(whole, 0, 8);
      const stopped = newClassifier();
      train(stopped, 0, 4);
      const resumed = newClassifier({ seed: 99 });
      resumed.restore(stopped.checkpoint());
      train(resumed, 4, 8);
      expect(digest(resumed.weights())).toBe(digest(whole.weights()));
    });

    it('a CVAE restored from a checkpoint goes on as if never stopped', () => {
      const whole = newCvae();
      trainCvae(whole, 0, 8);
      const stopped = newCvae();
      trainCvae(stopped, 0, 4);
      const resumed = newCvae({ seed: 99 });
      resumed.restore(stopped.checkpoint());
      trainCvae(resumed, 4, 8);
      expect(digest(resumed.weights())).toBe(digest(whole.weights()));
    });

    it('a partial batch trains as in a network compiled for it, whatever lies behind it', () => {
      const large = newClassifier();
      const exact = newClassifier({ batch: 3 });
      train(large, 0, 2);
      exact.restore(large.checkpoint());
      fillStep(9, [large.images, large.targets]);
      fillAnswers(large.targets, CLASSES);
      exact.images.set(large.images.subarray(0, 3 * PIXELS));
      exact.targets.set(large.targets.subarray(0, 3 * CLASSES));
      large.images.fill(NaN, 3 * PIXELS);
      large.targets.fill(NaN, 3 * CLASSES);
      expect(large.trainStep(3, RATE)).toBe(exact.trainStep(3, RATE));
      expect(digest(large.weights())).toBe(digest(exact.weights()));
    });

    it('a step on one image is possible', () => {
      const classifier = newClassifier({ batch: 1 });
      train(classifier, 0, 3, 1);
      expect(classifier.weights().every(({ data }) => data.every(Number.isFinite))).toBe(true);
    });
  });

  describe('prediction', () => {
    it('rows are probabilities and do not depend on the chunk they fall into', () => {
      const images = randomBytes(23);
      const ten = newClassifier();
      train(ten, 0, 3);
      const four = newClassifier({ batch: 4 });
      four.restore(ten.checkpoint());
      const answers = ten.predict(images, 23);
      expect(answers).toEqual(four.predict(images, 23));
      expect(answers.length).toBe(23 * CLASSES);
      for (let row = 0; row < 23; row++) {
        const sum = answers.subarray(row * CLASSES, (row + 1) * CLASSES).reduce((a, b) => a + b, 0);
        expect(sum).toBeCloseTo(1, 6);
      }
    });

    it('sees a byte as a 255th of the value that training sees', () => {
      const classifier = newClassifier({ loss: { balance: 1, temperature: 1 } });
      const bytes = randomBytes(1);
      bytes.forEach((byte, i) => (classifier.images[i] = byte / 255));
      classifier.targets.fill(0);
      classifier.targets[4] = 1;
      const answer = classifier.predict(bytes, 1);
      expect(classifier.trainStep(1, 0)).toBeCloseTo(-Math.log(answer[4]!), 5);
    });

    it('leaves the training state and its buffers alone', () => {
      const [disturbed, quiet] = [newClassifier(), newClassifier()];
      for (const classifier of [disturbed, quiet]) {
        fillStep(0, [classifier.images, classifier.targets]);
        fillAnswers(classifier.targets, CLASSES);
      }
      disturbed.predict(randomBytes(12), 12);
      expect(disturbed.trainStep(10, RATE)).toBe(quiet.trainStep(10, RATE));
      expect(digest(disturbed.weights())).toBe(digest(quiet.weights()));
    });

    it('of no image is empty, of fewer bytes than claimed is refused', () => {
      const classifier = newClassifier();
      expect(classifier.predict(new Uint8Array(0), 0)).toEqual(new Float32Array(0));
      expect(() => classifier.predict(randomBytes(2), 3)).toThrow(/images has 336 elements, fewer than 504/);
    });

    it('decoding gives pixels in 0..1 that do not depend on the chunk', () => {
      const random = new RandomStream(4, 'latents');
      const latents = Float32Array.from({ length: 23 * 3 }, () => random.normal());
      const conditions = new Float32Array(23 * CLASSES).map((_, i) => Number(i % CLASSES === 2));
      const ten = newCvae();
      trainCvae(ten, 0, 3);
      const four = newCvae({ batch: 4 });
      four.restore(ten.checkpoint());
      const pixels = ten.decode(latents, conditions, 23);
      expect(pixels).toEqual(four.decode(latents, conditions, 23));
      expect(pixels.length).toBe(23 * PIXELS);
      expect(pixels.every((value) => value > 0 && value < 1)).toBe(true);
      expect(() => ten.decode(latents, conditions, 24)).toThrow(/latents has 69 elements, fewer than 72/);
    });
  });

  describe('memory', () => {
    it('is flat over steps and predictions', () => {
      const classifier = newClassifier();
      const cvae = newCvae();
      const before = [classifier.memoryBytes(), cvae.memoryBytes()];
      train(classifier, 0, 20);
      classifier.predict(randomBytes(30), 30);
      trainCvae(cvae, 0, 20);
      expect([classifier.memoryBytes(), cvae.memoryBytes()]).toEqual(before);
      expect(before.every((bytes) => bytes > 0)).toBe(true);
    });

    it('is given back by dispose, after which calls are refused', () => {
      const classifier = newClassifier();
      const cvae = newCvae();
      classifier.dispose();
      cvae.dispose();
      expect([classifier.memoryBytes(), cvae.memoryBytes()]).toEqual([0, 0]);
      expect(() => classifier.trainStep(1, RATE)).toThrow(/disposed/);
      expect(() => cvae.images).toThrow(/disposed/);
    });
  });

  describe('a loss that is no number', () => {
    it('is told with network and step, and changes nothing', () => {
      const classifier = newClassifier();
      train(classifier, 0, 2);
      const before = digest(classifier.weights());
      classifier.images[5] = NaN;
      expect(() => classifier.trainStep(10, RATE)).toThrow(NanLossError);
      expect(() => classifier.trainStep(10, RATE)).toThrow(/lenet5-half became NaN at step 3/);
      expect(digest(classifier.weights())).toBe(before);
      train(classifier, 2, 3);
      expect(classifier.weights().every(({ data }) => data.every(Number.isFinite))).toBe(true);
    });

    it.each(['conv1/kernel', 'conv2/bias', 'dense1/kernel', 'logits/bias'])('shows through from %s', (name) => {
      const classifier = newClassifier();
      fillStep(0, [classifier.images, classifier.targets]);
      classifier.setWeights(
        classifier
          .weights()
          .map((tensor) => (tensor.name === name ? { ...tensor, data: tensor.data.fill(NaN) } : tensor)),
      );
      expect(() => classifier.trainStep(10, RATE)).toThrow(NanLossError);
    });

    it('is told of the CVAE too', () => {
      const cvae = newCvae();
      fillStep(0, [cvae.images, cvae.conditions, cvae.noise]);
      cvae.noise[0] = Infinity;
      expect(() => cvae.trainStep(10, RATE)).toThrow(
        /the CVAE became NaN at step 1|the CVAE became Infinity at step 1/,
      );
    });
  });

  describe('learning', () => {
    it('an image without answers counts nothing', () => {
      const classifier = newClassifier();
      const before = digest(classifier.weights());
      fillStep(0, [classifier.images]);
      classifier.targets.fill(0);
      expect(classifier.trainStep(10, RATE)).toBe(0);
      expect(digest(classifier.weights())).toBe(before);
    });

    it('decoupled weight decay shrinks weights that get no gradient', () => {
      const classifier = newClassifier({ optimiser: { ...DEFAULT_ADAM, weightDecay: 0.5 } });
      const before = classifier.weights();
      classifier.targets.fill(0);
      classifier.trainStep(10, 0.1);
      classifier.weights().forEach(({ data }, i) => {
        data.forEach((value, j) => expect(value).toBeCloseTo(before[i]!.data[j]! * 0.95, 6));
      });
    });

    it('a batch is learnt by heart', () => {
      const classifier = newClassifier();
      fillStep(0, [classifier.images]);
      classifier.targets.fill(0);
      for (let row = 0; row < 10; row++) classifier.targets[row * CLASSES + (row % CLASSES)] = 1;
      const first = classifier.trainStep(10, RATE);
      let last = first;
      for (let step = 0; step < 300; step++) last = classifier.trainStep(10, 3e-3);
      expect(first).toBeGreaterThan(1);
      expect(last).toBeLessThan(0.01);
    });
  });

  describe('weights', () => {
    it('come in the order of the layers, in Keras layout', () => {
      expect(
        newClassifier()
          .weights()
          .map(({ name, shape }) => `${name} ${shape.join('x')}`),
      ).toEqual([
        'conv1/kernel 5x5x1x3',
        'conv1/bias 3',
        'conv2/kernel 5x5x3x8',
        'conv2/bias 8',
        'dense1/kernel 32x120',
        'dense1/bias 120',
        'dense2/kernel 120x84',
        'dense2/bias 84',
        'logits/kernel 84x7',
        'logits/bias 7',
      ]);
      const names = newCvae()
        .weights()
        .map(({ name }) => name);
      expect(names.filter((name) => name.startsWith('decoder/'))).toEqual([
        'decoder/dense1/kernel',
        'decoder/dense1/bias',
        'decoder/dense2/kernel',
        'decoder/dense2/bias',
        'decoder/pixels/kernel',
        'decoder/pixels/bias',
      ]);
    });

    it('start Glorot uniform with zero biases', () => {
      const weights = new Map(
        newClassifier()
          .weights()
          .map(({ name, data }) => [name, data]),
      );
      expect(weights.get('dense1/bias')!.every((value) => value === 0)).toBe(true);
      const kernel = weights.get('dense1/kernel')!;
      const limit = Math.sqrt(6 / (32 + 120));
      const largest = kernel.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      expect(largest).toBeLessThanOrEqual(limit);
      expect(largest).toBeGreaterThan(0.99 * limit);
      const convLargest = weights.get('conv2/kernel')!.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      expect(convLargest).toBeLessThanOrEqual(Math.sqrt(6 / (25 * 3 + 25 * 8)));
    });

    it('set into another network make it answer alike', () => {
      const [taught, fresh] = [newClassifier(), newClassifier({ seed: 5 })];
      train(taught, 0, 3);
      fresh.setWeights(taught.weights());
      expect(fresh.predict(randomBytes(3), 3)).toEqual(taught.predict(randomBytes(3), 3));
    });

    it('that do not fit are refused with their name', () => {
      const classifier = newClassifier();
      const weights = classifier.weights();
      expect(() => classifier.setWeights(weights.slice(1))).toThrow(/conv1\/kernel is missing/);
      expect(() => classifier.setWeights([...weights, { ...weights[0]!, name: 'more' }])).toThrow(/no tensor more/);
      const transposed = weights.map((t) => (t.name === 'dense1/kernel' ? { ...t, shape: [120, 32] } : t));
      expect(() => classifier.setWeights(transposed)).toThrow(/dense1\/kernel has shape \[120,32\]/);
    });

    it('a checkpoint of another network, and bytes that are none, are refused', () => {
      const classifier = newClassifier();
      const other = newClassifier({ network: networkByName('lenet5', SHAPE, CLASSES) });
      expect(() => classifier.restore(other.checkpoint())).toThrow(/other layers/);
      expect(() => classifier.restore(classifier.checkpoint().subarray(0, 1000))).toThrow(/safetensors/);
    });
  });

  describe('options out of range', () => {
    it.each([
      [{ batch: 0 }, /batch .* not 0/],
      [{ loss: { balance: 1.5, temperature: 1 } }, /balance .* not 1.5/],
      [{ loss: { balance: 0, temperature: 0 } }, /temperature .* not 0/],
      [{ optimiser: { ...DEFAULT_ADAM, beta1: 1 } }, /beta1 .* not 1/],
      [{ optimiser: { ...DEFAULT_ADAM, beta2: -1 } }, /beta2 .* not -1/],
      [{ optimiser: { ...DEFAULT_ADAM, epsilon: 0 } }, /epsilon .* not 0/],
      [{ optimiser: { ...DEFAULT_ADAM, weightDecay: NaN } }, /weightDecay .* not NaN/],
    ] as [Partial<ClassifierOptions>, RegExp][])('%j is refused', (change, message) => {
      expect(() => newClassifier(change)).toThrow(InvalidArgumentError);
      expect(() => newClassifier(change)).toThrow(message);
    });

    it.each([
      { batch: 1.5 },
      { latent: 0 },
      { classes: 0 },
      { architecture: { kind: 'dense', hidden: [4, 0] } },
      { architecture: { kind: 'dense', hidden: new Array<number>(600).fill(1) } },
    ] as Partial<CvaeOptions>[])('a CVAE with %j is refused', (change) => {
      expect(() => newCvae(change)).toThrow(InvalidArgumentError);
    });

    it('a network larger than the kernels can address is refused before anything is allocated', () => {
      const network = networkByName('lenet5', { height: 4096, width: 4096, channels: 3 }, 10);
      expect(() => newClassifier({ network, batch: 64 })).toThrow(/lenet5 at batch 64 would need about \d+ MiB/);
      expect(() => newCvae({ shape: { height: 1024, width: 1024, channels: 3 } })).toThrow(/would need about \d+ MiB/);
    });

    it('a step of no image, of too many and of a strange rate is refused', () => {
      const classifier = newClassifier();
      expect(() => classifier.trainStep(0, RATE)).toThrow(/not 0/);
      expect(() => classifier.trainStep(11, RATE)).toThrow(/11 images .* at most 10/);
      expect(() => classifier.trainStep(10, NaN)).toThrow(/learningRate .* not NaN/);
    });
  });
});

describe('kernel engines - from one build to another', () => {
  const trained = ({ engine }: KernelFamily) => {
    const { newClassifier, newCvae } = makersFor(engine);
    const [classifier, cvae] = [newClassifier(), newCvae()];
    train(classifier, 0, 5);
    trainCvae(cvae, 0, 5);
    return { classifier, cvae };
  };
  const [wasm, ...natives] = kernelFamilies() as [KernelFamily, ...KernelFamily[]];

  it('WebAssembly gives the weights of every other machine', () => {
    // Recorded once; a change means that runs of an earlier version can't be resumed bit for bit.
    const { classifier, cvae } = trained(wasm);
    expect([digest(classifier.weights()), digest(cvae.weights())]).toEqual(['72298e54a5ad939f', '2d5b1e4cde5faad9']);
  });

  it.each(natives)('$name trains to the weights of WebAssembly but for rounding', (native) => {
    const [expected, actual] = [trained(wasm), trained(native)];
    expect(largestDifference(actual.classifier.weights(), expected.classifier.weights())).toBeLessThan(1e-5);
    expect(largestDifference(actual.cvae.weights(), expected.cvae.weights())).toBeLessThan(1e-5);
  });

  it.each(natives)('$name goes on from a checkpoint of WebAssembly, and back', (native) => {
    const there = makersFor(native.engine).newClassifier({ seed: 9 });
    there.restore(trained(wasm).classifier.checkpoint());
    expect(digest(there.weights())).toBe(digest(trained(wasm).classifier.weights()));
    train(there, 5, 8);
    const back = makersFor(wasm.engine).newClassifier({ seed: 9 });
    back.restore(there.checkpoint());
    train(back, 8, 10);
    const whole = trained(wasm).classifier;
    train(whole, 5, 10);
    expect(largestDifference(back.weights(), whole.weights())).toBeLessThan(1e-5);
  });
});

function largestDifference(some: WeightTensor[], others: WeightTensor[]): number {
  const differences = some.flatMap(({ data }, i) =>
    Array.from(data, (value, j) => Math.abs(value - others[i]!.data[j]!)),
  );
  return differences.reduce((a, b) => Math.max(a, b), 0);
}
