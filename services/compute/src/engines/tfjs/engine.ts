import type { Classifier, ClassifierOptions, Cvae, CvaeOptions, Engine } from '../../engine.js';
import { TfjsClassifier } from './classifier.js';
import { TfjsCvae } from './cvae.js';
import { readNow } from './reading.js';
import type { Tfjs } from './tfjs.js';

/**
 * TensorFlow.js as an engine, on whatever backend the given one computes, if that can be read at once. Its numbers are
 * those of the kernels within rounding: the same initial weights, dropout and optimiser.
 */
export function createTfjsEngine(tf: Tfjs, identity: Pick<Engine, 'name' | 'description'>): Engine {
  return {
    ...identity,
    createClassifier: (options: ClassifierOptions) => classifierNow(new TfjsClassifier(options, tf)),
    createCvae: (options: CvaeOptions) => cvaeNow(new TfjsCvae(options, tf)),
  };
}

function classifierNow(later: TfjsClassifier): Classifier {
  return {
    network: later.network,
    parameterCount: later.parameterCount,
    get images() {
      return later.images;
    },
    get targets() {
      return later.targets;
    },
    trainStep: (count, learningRate) => readNow(later.trainStep(count, learningRate)),
    predict: (images, count) => readNow(later.predict(images, count)),
    weights: () => readNow(later.weights()),
    averagedWeights: () => readNow(later.averagedWeights()),
    setWeights: (weights) => readNow(later.setWeights(weights)),
    checkpoint: () => readNow(later.checkpoint()),
    restore: (checkpoint) => later.restore(checkpoint),
    memoryBytes: () => later.memoryBytes(),
    dispose: () => later.dispose(),
  };
}

function cvaeNow(later: TfjsCvae): Cvae {
  return {
    get images() {
      return later.images;
    },
    get conditions() {
      return later.conditions;
    },
    get noise() {
      return later.noise;
    },
    trainStep: (count, learningRate) => readNow(later.trainStep(count, learningRate)),
    decode: (latents, conditions, count) => readNow(later.decode(latents, conditions, count)),
    weights: () => readNow(later.weights()),
    setWeights: (weights) => readNow(later.setWeights(weights)),
    checkpoint: () => readNow(later.checkpoint()),
    restore: (checkpoint) => later.restore(checkpoint),
    memoryBytes: () => later.memoryBytes(),
    dispose: () => later.dispose(),
  };
}
