import { CancelledError, RandomStream } from '@bbdistill/common';
import type { Clock, ImageShape } from '@bbdistill/common';
import type { EpochMetrics__Output } from '@bbdistill/common/gen/bbdistill/v1/EpochMetrics.js';
import type { TrainingRecipe__Output } from '@bbdistill/common/gen/bbdistill/v1/TrainingRecipe.js';
import { BatchAugmenter, DEFAULT_ADAM } from '@bbdistill/compute';
import type { Classifier, Engine, NetworkSpec, WeightTensor } from '@bbdistill/compute';
import type { TrainingCheckpoint } from './checkpoint.js';
import { scheduleFor } from './schedule.js';
import type { ScheduleName } from './schedule.js';

/** Answered images, in the order of the shards. */
export interface TrainingData {
  count: number;
  shape: ImageShape;
  classes: number;
  /** uint8 [N,H,W,C] */
  pixels: Uint8Array;
  /** [N,K], rows sum to 1 */
  targets: Float32Array;
}

export interface TrainingPlan {
  network: NetworkSpec;
  recipe: TrainingRecipe__Output;
  seed: number;
}

export interface TrainingHooks {
  clock: Pick<Clock, 'monotonicMs'>;
  signal: AbortSignal;
  progress(step: number, totalSteps: number, loss: number | undefined): void;
  /** Keeps the checkpoint. */
  saveCheckpoint(checkpoint: TrainingCheckpoint): void | Promise<void>;
  checkpointIntervalMs: number;
}

export interface TrainedStudent {
  weights: WeightTensor[];
  history: EpochMetrics__Output[];
  /** Steps of the whole training, those before a resume included. */
  steps: number;
  parameters: number;
}

/** How often a killed trainer's work is saved. */
export const DEFAULT_CHECKPOINT_INTERVAL_MS = 30_000;

/** Steps between two looks at the clock and the signal: some tens of milliseconds. */
const BREATHE_EVERY_STEPS = 16;

/**
 * Trains a student on what the teacher said. Every epoch goes over the images in an order of its own; images left over
 * after the last whole batch sit that epoch out. The order, the augmentation and the initial weights depend on the seed
 * and on the data alone, so that a training resumed at a checkpoint ends with the same weights.
 * @param checkpoint of the same data and plan; one of another engine is left aside
 * @throws NanLossError naming the step
 * @throws CancelledError when the signal aborts
 */
export async function trainStudent(
  engine: Engine,
  data: TrainingData,
  plan: TrainingPlan,
  hooks: TrainingHooks,
  checkpoint?: TrainingCheckpoint,
): Promise<TrainedStudent> {
  const { recipe, seed } = plan;
  const resumeFrom = checkpoint?.engine === engine.name ? checkpoint : undefined;
  const batch = Math.min(recipe.batch, data.count);
  const classifier = engine.createClassifier({
    network: plan.network,
    batch,
    seed,
    loss: { balance: recipe.balance, temperature: recipe.temperature },
    optimiser: { ...DEFAULT_ADAM, weightDecay: recipe.weightDecay },
  });
  try {
    if (resumeFrom) classifier.restore(resumeFrom.classifier);
    const stepsPerEpoch = Math.floor(data.count / batch);
    const totalSteps = stepsPerEpoch * recipe.epochs;
    const rateOf = scheduleFor(recipe.schedule as ScheduleName, recipe.learningRate, totalSteps);
    const batches = new BatchSource(data, plan, batch, stepsPerEpoch);
    const history = [...(resumeFrom?.history ?? [])];
    let epochLossSum = resumeFrom?.epochLossSum ?? 0;
    let savedAtMs = hooks.clock.monotonicMs();
    hooks.progress(resumeFrom?.step ?? 0, totalSteps, history.at(-1)?.loss);

    for (let step = resumeFrom?.step ?? 0; step < totalSteps; step++) {
      batches.fill(classifier, step);
      const loss = classifier.trainStep(batch, rateOf(step));
      epochLossSum += loss;
      const done = step + 1;
      if (done % stepsPerEpoch === 0) {
        const epoch = done / stepsPerEpoch;
        history.push({ epoch, loss: epochLossSum / stepsPerEpoch, learningRate: rateOf(step) });
        epochLossSum = 0;
      }
      if (done % BREATHE_EVERY_STEPS !== 0 && done !== totalSteps) continue;
      hooks.progress(done, totalSteps, history.at(-1)?.loss ?? loss);
      await new Promise((resolve) => setImmediate(resolve));
      if (hooks.signal.aborted) throw new CancelledError(`the training was cancelled after step ${done}`);
      if (done < totalSteps && hooks.clock.monotonicMs() - savedAtMs >= hooks.checkpointIntervalMs) {
        await hooks.saveCheckpoint({
          engine: engine.name,
          step: done,
          epochLossSum,
          history,
          classifier: classifier.checkpoint(),
        });
        savedAtMs = hooks.clock.monotonicMs();
      }
    }
    return { weights: classifier.weights(), history, steps: totalSteps, parameters: classifier.parameterCount };
  } finally {
    classifier.dispose();
  }
}

/** Puts the images and answers of any step into the classifier's buffers. */
class BatchSource {
  readonly #augmenter: BatchAugmenter;
  #epoch = -1;
  #order: Uint32Array = new Uint32Array();
  #partners: Uint32Array = new Uint32Array();

  constructor(
    private readonly data: TrainingData,
    private readonly plan: TrainingPlan,
    private readonly batch: number,
    private readonly stepsPerEpoch: number,
  ) {
    const { batchMixupAlpha, rotationDegrees, shift, flip } = plan.recipe;
    this.#augmenter = new BatchAugmenter(data.shape, data.classes, {
      mixupAlpha: batchMixupAlpha,
      rotationDegrees,
      shift,
      flip,
    });
  }

  fill(classifier: Classifier, step: number): void {
    const { seed, recipe } = this.plan;
    const epoch = Math.floor(step / this.stepsPerEpoch);
    if (epoch !== this.#epoch) {
      this.#epoch = epoch;
      this.#order = new RandomStream(seed, 'shuffle', epoch).permutation(this.data.count);
      if (recipe.batchMixupAlpha > 0) {
        this.#partners = new RandomStream(seed, 'shuffle-partners', epoch).permutation(this.data.count);
      }
    }
    this.#augmenter.fill(
      this.data,
      this.#order,
      this.#partners,
      (step % this.stepsPerEpoch) * this.batch,
      this.batch,
      classifier.images,
      classifier.targets,
      new RandomStream(seed, 'batch-augmentation', step),
    );
  }
}
