import type { ImageShape } from '@bbdistill/common/base';
import { BatchSource } from '../augment/index.js';
import type { BatchAugmentation, NewestImages, TrainingRows } from '../augment/index.js';
import type { Classifier, ClassifierOptions, Engine } from '../engine.js';

/** What is trained, and on what. */
export interface TrainingOptions {
  classifier: ClassifierOptions;
  /** Lies in shared memory where several threads train. */
  rows: TrainingRows;
  /** Images of the set. */
  count: number;
  shape: ImageShape;
  classes: number;
  /** Of order and augmentation. */
  seed: number;
  augmentation: BatchAugmentation;
  newest?: NewestImages | undefined;
  /** Of the part that is trained, where the steps before were on another set. */
  firstStep?: number;
}

/** What can be asked of a classifier while it is trained. */
export type TrainedClassifier = Pick<
  Classifier,
  'network' | 'parameterCount' | 'predict' | 'weights' | 'averagedWeights' | 'checkpoint' | 'memoryBytes'
>;

/**
 * A classifier together with the batches that it is trained on, one step at a time, on one thread or several. The same
 * options, engine and number of threads give the same bits.
 */
export interface Training {
  readonly threads: number;
  readonly stepsPerEpoch: number;
  readonly classifier: TrainedClassifier;
  /**
   * The optimiser step number `step`, counted from 0, on its batch.
   * @returns the mean loss before it
   * @throws NanLossError
   */
  step(step: number, learningRate: number): number;
  /** Gives memory and threads back. */
  close(): Promise<void>;
}

/** Trains in this thread alone. */
export function startTraining(engine: Engine, options: TrainingOptions, checkpoint?: Uint8Array): Training {
  const classifier = engine.createClassifier(options.classifier);
  if (checkpoint) classifier.restore(checkpoint);
  const source = batchSourceOf(options);
  const { batch } = options.classifier;
  return {
    threads: 1,
    stepsPerEpoch: source.stepsPerEpoch,
    classifier,
    step(step, learningRate) {
      source.fill(step, 0, batch, classifier);
      return classifier.trainStep(batch, learningRate);
    },
    async close() {
      classifier.dispose();
    },
  };
}

export function batchSourceOf({ classifier, rows, ...options }: TrainingOptions): BatchSource {
  return new BatchSource(rows, { ...options, batch: classifier.batch });
}
