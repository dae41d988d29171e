import { mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { InvalidArgumentError, sha256Hex, storageError, systemClock } from '@bbdistill/common';
import type { Clock, ImageBatch } from '@bbdistill/common';
import { accuracy, argmaxRows, decodeWeights, encodeOnnx, networkByName } from '@bbdistill/compute';
import type { EngineName, GpuWish, NetworkSpec, WeightTensor } from '@bbdistill/compute';
import { trainerTasksInWorkerThreads } from '@bbdistill/student-trainer';
import type { TrainerTasks, TrainingPlan } from '@bbdistill/student-trainer';

export const DEFAULT_TEACHER_EPOCHS = 20;
export const TEACHER_FILE = 'teacher.onnx';
export const TEACHER_FACTS_FILE = 'teacher.json';

/** A supervised training: one-cycle rate and light augmentation. */
const RECIPE = {
  batch: 128,
  schedule: 'one-cycle',
  learningRate: 3e-3,
  batchMixupAlpha: 0,
  rotationDegrees: 0,
  shift: 0.05,
  balance: 0,
  temperature: 1,
  weightDecay: 0,
  emaDecay: 0,
} as const;

export interface TrainTeacherOptions {
  images: ImageBatch;
  /** True class of each image, 0..classes-1. */
  labels: Int32Array;
  testImages: ImageBatch;
  testLabels: Int32Array;
  classes: number;
  /** A name that `networkByName` knows. */
  network: string;
  /** Whether a mirrored image is still of its class: not for digits and text. */
  flip: boolean;
  /** Default {@link DEFAULT_TEACHER_EPOCHS}. */
  epochs?: number;
  seed: number;
  engine: EngineName;
  gpu?: GpuWish;
  signal: AbortSignal;
  onProgress?: (progress: TeacherProgress) => void;
  /** Default: each piece of work in a thread of its own. */
  tasks?: TrainerTasks;
  clock?: Pick<Clock, 'monotonicMs'>;
}

export interface TeacherProgress {
  step: number;
  totalSteps: number;
  loss: number | undefined;
}

export interface TrainedTeacher {
  network: NetworkSpec;
  weights: WeightTensor[];
  /** Part of the test images that it names rightly, 0..1. */
  testAccuracy: number;
  parameters: number;
  steps: number;
  epochs: number;
  seed: number;
  /** The engine's own description. */
  engine: string;
  trainingImages: number;
  testImages: number;
  seconds: number;
}

/**
 * Trains a classifier on true labels, so that a black box can be had where there is none. The test images are looked at
 * once, at the end.
 * @throws InvalidArgumentError where labels and images don't fit; CancelledError when the signal aborts
 */
export async function trainTeacher(options: TrainTeacherOptions): Promise<TrainedTeacher> {
  const { images, classes, seed, engine, gpu = 'never', signal, epochs = DEFAULT_TEACHER_EPOCHS } = options;
  const { tasks = trainerTasksInWorkerThreads, clock = systemClock } = options;
  assertLabels('labels', options.labels, images.count, classes);
  assertLabels('testLabels', options.testLabels, options.testImages.count, classes);
  const network = networkByName(options.network, images.shape, classes);
  const startedMs = clock.monotonicMs();
  const plan: TrainingPlan = { network, seed, threads: 1, recipe: { ...RECIPE, epochs, flip: options.flip } };
  const data = { ...images, classes, targets: oneHot(options.labels, classes) };
  const trained = await tasks.train(
    // A teacher is trained in minutes: it is begun anew rather than resumed.
    { engine, gpu, data, plan, checkpointIntervalMs: Infinity, checkpoint: undefined },
    {
      signal,
      progress: (step, totalSteps, loss) => options.onProgress?.({ step, totalSteps, loss }),
      saveCheckpoint: () => undefined,
    },
  );
  const { probabilities } = await tasks.evaluate(
    { engine, gpu, weights: trained.weights, images: options.testImages, labels: undefined, teacher: undefined },
    signal,
  );
  return {
    network,
    weights: decodeWeights(trained.weights).weights,
    testAccuracy: accuracy(argmaxRows(probabilities, classes), options.testLabels)!,
    parameters: trained.parameters,
    steps: trained.steps,
    epochs,
    seed,
    engine: trained.engine,
    trainingImages: images.count,
    testImages: options.testImages.count,
    seconds: (clock.monotonicMs() - startedMs) / 1000,
  };
}

/** What `teacher.json` says of `teacher.onnx`. */
export interface TeacherFile {
  schema: 1;
  dataset: string;
  network: string;
  parameters: number;
  classes: number;
  classNames: readonly string[];
  testAccuracy: number;
  trainingImages: number;
  testImages: number;
  epochs: number;
  seed: number;
  seconds: number;
  engine: string;
  versions: { bbdistill: string; node: string };
  sha256: string;
}

/**
 * Writes `teacher.onnx` and `teacher.json` into a folder, which is made where it is missing.
 * @throws BbdError naming the folder where it can't be written
 */
export async function writeTeacher(
  folder: string,
  teacher: TrainedTeacher,
  about: { dataset: string; classNames: readonly string[]; version: string },
): Promise<TeacherFile> {
  const model = encodeOnnx(teacher.network, teacher.weights);
  const facts: TeacherFile = {
    schema: 1,
    dataset: about.dataset,
    network: teacher.network.name,
    parameters: teacher.parameters,
    classes: teacher.network.classes,
    classNames: about.classNames,
    testAccuracy: teacher.testAccuracy,
    trainingImages: teacher.trainingImages,
    testImages: teacher.testImages,
    epochs: teacher.epochs,
    seed: teacher.seed,
    seconds: teacher.seconds,
    engine: teacher.engine,
    versions: { bbdistill: about.version, node: process.versions.node },
    sha256: sha256Hex(model),
  };
  try {
    await mkdir(folder, { recursive: true });
    await writeWhole(join(folder, TEACHER_FILE), model);
    await writeWhole(join(folder, TEACHER_FACTS_FILE), `${JSON.stringify(facts, undefined, 2)}\n`);
  } catch (thrown) {
    throw storageError(thrown, folder);
  }
  return facts;
}

/** A server may be reading the old file. */
async function writeWhole(path: string, content: Uint8Array | string): Promise<void> {
  await writeFile(`${path}.partial`, content);
  await rename(`${path}.partial`, path);
}

function assertLabels(name: string, labels: Int32Array, count: number, classes: number): void {
  if (labels.length !== count || count === 0) {
    throw new InvalidArgumentError(`${name} has ${labels.length} labels for ${count} images: give one for each`);
  }
  const bad = labels.findIndex((label) => label < 0 || label >= classes);
  if (bad >= 0) {
    throw new InvalidArgumentError(`${name}[${bad}] is ${labels[bad]}: classes are 0 to ${classes - 1}`);
  }
}

function oneHot(labels: Int32Array, classes: number): Float32Array {
  const rows = new Float32Array(labels.length * classes);
  labels.forEach((label, n) => (rows[n * classes + label] = 1));
  return rows;
}
