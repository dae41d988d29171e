import { CancelledError, FailedPreconditionError } from '@bbdistill/common/base';
import type { Clock, ImageShape } from '@bbdistill/common/base';
import type { EpochMetrics__Output } from '@bbdistill/common/gen/bbdistill/v1/EpochMetrics.js';
import type { TrainingRecipe__Output } from '@bbdistill/common/gen/bbdistill/v1/TrainingRecipe.js';
import { DEFAULT_ADAM, scheduleFor, startParallelTraining, startTraining } from '@bbdistill/compute';
import type {
  Engine,
  NetworkSpec,
  NewestImages,
  Schedule,
  ScheduleName,
  Training,
  TrainingOptions,
  WeightTensor,
} from '@bbdistill/compute';
import type { TrainingCheckpoint } from './checkpoint.js';

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

/** Some steps of a training; the rest are parts of their own, on more or fewer images. */
export interface TrainingPart {
  firstStep: number;
  /** The first step that isn't done any more. */
  endStep: number;
  totalSteps: number;
  /** So many images at the end of the data are drawn `newestDraws` times as often as the others. */
  newestImages: number;
  newestDraws: number;
  /** How much of the learning-rate schedule is over at the first step and at the end, 0 to 1. */
  scheduleFrom: number;
  scheduleTo: number;
}

/** So long one part's thread, what it has compiled and its images are kept for the next one, whose answers still come. */
export const PART_LINGER_MS = 60_000;

export function isMoreToCome(part: Pick<TrainingPart, 'endStep' | 'totalSteps'> | undefined): boolean {
  return part !== undefined && part.endStep < part.totalSteps;
}

export interface TrainingPlan {
  /** Absent: all steps. */
  part?: TrainingPart;
  network: NetworkSpec;
  /** What the network was made of, where it isn't one of ours: it goes with the weights. */
  topology?: string;
  recipe: TrainingRecipe__Output;
  seed: number;
  /** That share every batch. Their number is part of what makes the bits. */
  threads: number;
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
  /** Of a part that is not the last. */
  checkpoint?: TrainingCheckpoint;
  /** Their running average where the recipe asks for one. */
  weights: WeightTensor[];
  history: EpochMetrics__Output[];
  /** Steps of the whole training, those before a resume included. */
  steps: number;
  parameters: number;
  /** That shared every batch; fewer than asked for where a batch has fewer images. */
  threads: number;
}

/** How often a killed trainer's work is saved. */
export const DEFAULT_CHECKPOINT_INTERVAL_MS = 30_000;

/** Steps between two looks at the clock and the signal: some tens of milliseconds. */
const BREATHE_EVERY_STEPS = 16;

/**
 * Trains a student on what the teacher said. The order, the augmentation and the initial weights depend on the seed and
 * on the data alone, so that a training resumed at a checkpoint ends with the same weights. With several threads every
 * step blocks the calling one.
 * @param checkpoint of the same data and plan; one of another engine, build of it or number of threads is left aside. Of a
 * part that goes on from another one, the build is taken as it comes: there is nothing to begin anew with
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
  const { recipe } = plan;
  const goesOn = (plan.part?.firstStep ?? 0) > 0;
  const isOurs =
    checkpoint && isOfEngine(checkpoint, engine, plan.threads) && (goesOn || isOfBuild(checkpoint, engine));
  const resumeFrom = isOurs ? checkpoint : undefined;
  if (!resumeFrom && goesOn) {
    throw new FailedPreconditionError(
      `the part before was trained with ${checkpoint?.engine ?? 'an unknown engine'} on ${checkpoint?.threads ?? 1} ` +
        `threads, not with ${engine.name} on ${plan.threads}: give all trainers the same engine and threads, or set them in the run`,
      { code: 'TRAINING_PART_MISMATCH' },
    );
  }
  const training = await start(engine, trainingOptionsOf(data, plan), plan.threads, resumeFrom?.classifier);
  const { classifier, stepsPerEpoch } = training;
  try {
    const totalSteps = plan.part?.totalSteps ?? stepsPerEpoch * recipe.epochs;
    const endStep = plan.part?.endStep ?? totalSteps;
    // Of a part, the data and so the passes over it are smaller than those of the whole training.
    const stepsPerEntry = plan.part ? Math.max(1, Math.floor(totalSteps / recipe.epochs)) : stepsPerEpoch;
    const checkpointAt = (step: number): TrainingCheckpoint => ({
      engine: engine.name,
      engineDescription: engine.description,
      threads: plan.threads,
      step,
      epochLossSum,
      history,
      classifier: classifier.checkpoint(),
    });
    const rateOf = rateIn(plan, totalSteps);
    const history = [...(resumeFrom?.history ?? [])];
    const epochLosses = history.map(({ loss }) => loss);
    let epochLossSum = resumeFrom?.epochLossSum ?? 0;
    let savedAtMs = hooks.clock.monotonicMs();
    hooks.progress(resumeFrom?.step ?? 0, totalSteps, history.at(-1)?.loss);

    for (let step = resumeFrom?.step ?? 0; step < endStep; step++) {
      const rate = rateOf(step, epochLosses);
      const loss = training.step(step, rate);
      epochLossSum += loss;
      const done = step + 1;
      if (done % stepsPerEntry === 0) {
        const epoch = done / stepsPerEntry;
        const meanLoss = epochLossSum / stepsPerEntry;
        history.push({ epoch, loss: meanLoss, learningRate: rate });
        epochLosses.push(meanLoss);
        epochLossSum = 0;
      }
      if (done % BREATHE_EVERY_STEPS !== 0 && done !== endStep) continue;
      hooks.progress(done, totalSteps, history.at(-1)?.loss ?? loss);
      await new Promise((resolve) => setImmediate(resolve));
      if (hooks.signal.aborted) throw new CancelledError(`the training was cancelled after step ${done}`);
      if (done < endStep && hooks.clock.monotonicMs() - savedAtMs >= hooks.checkpointIntervalMs) {
        await hooks.saveCheckpoint(checkpointAt(done));
        savedAtMs = hooks.clock.monotonicMs();
      }
    }
    return {
      weights: classifier.averagedWeights(),
      history,
      steps: endStep,
      ...(endStep < totalSteps && { checkpoint: checkpointAt(endStep) }),
      parameters: classifier.parameterCount,
      threads: training.threads,
    };
  } finally {
    await training.close();
  }
}

function isOfEngine(checkpoint: TrainingCheckpoint, engine: Engine, threads: number): boolean {
  return checkpoint.engine === engine.name && (checkpoint.threads ?? 1) === threads;
}

/** Whether going on from it gives the bits of one machine: of one name, another instruction set or version rounds otherwise. */
function isOfBuild({ engineDescription }: TrainingCheckpoint, { description }: Engine): boolean {
  return engineDescription === undefined || engineDescription === description;
}

/** The learning rate of a step: of a part, the step's place in the schedule is the part's own. */
function rateIn({ recipe, part }: TrainingPlan, totalSteps: number): Schedule {
  const rateOf = scheduleFor(recipe.schedule as ScheduleName, recipe.learningRate, totalSteps);
  if (!part) return rateOf;
  const { firstStep, endStep, scheduleFrom, scheduleTo } = part;
  const pace = ((scheduleTo - scheduleFrom) * totalSteps) / (endStep - firstStep);
  return (step, epochLosses) => rateOf(scheduleFrom * totalSteps + (step - firstStep) * pace, epochLosses);
}

function start(engine: Engine, options: TrainingOptions, threads: number, checkpoint?: Uint8Array): Promise<Training> {
  return threads > 1
    ? startParallelTraining(engine, options, threads, checkpoint)
    : Promise.resolve(startTraining(engine, options, checkpoint));
}

function trainingOptionsOf(data: TrainingData, { network, recipe, seed, part }: TrainingPlan): TrainingOptions {
  return {
    classifier: {
      network,
      batch: Math.min(recipe.batch, data.count),
      seed,
      loss: { balance: recipe.balance, temperature: recipe.temperature },
      optimiser: { ...DEFAULT_ADAM, weightDecay: recipe.weightDecay },
      ...(recipe.emaDecay > 0 && { ema: { decay: recipe.emaDecay } }),
    },
    rows: { pixels: data.pixels, targets: data.targets },
    count: data.count,
    shape: data.shape,
    classes: data.classes,
    seed,
    augmentation: {
      mixupAlpha: recipe.batchMixupAlpha,
      rotationDegrees: recipe.rotationDegrees,
      shift: recipe.shift,
      flip: recipe.flip,
    },
    // Images without an answer are not in the data.
    ...(part && part.newestImages > 0 && { newest: newestOf(part, data.count) }),
    ...(part && { firstStep: part.firstStep }),
  };
}

function newestOf({ newestImages, newestDraws }: TrainingPart, count: number): NewestImages {
  return { images: Math.min(newestImages, count), draws: newestDraws };
}
