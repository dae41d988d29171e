import type { ClassifierOptions, CvaeOptions, Engine } from '../../engine.js';
import { TfjsClassifier } from './classifier.js';
import { TfjsCvae } from './cvae.js';
import type { Tfjs } from './tfjs.js';

/**
 * TensorFlow.js as an engine, on whatever backend the given one computes. Its numbers are those of the kernels within
 * rounding: the same initial weights, dropout and optimiser.
 */
export function createTfjsEngine(tf: Tfjs, identity: Pick<Engine, 'name' | 'description'>): Engine {
  return {
    ...identity,
    createClassifier: (options: ClassifierOptions) => new TfjsClassifier(options, tf),
    createCvae: (options: CvaeOptions) => new TfjsCvae(options, tf),
  };
}
