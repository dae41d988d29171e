import { InvalidArgumentError, RandomStream } from '@bbdistill/common';
import {
  DEFAULT_ADAM,
  PAPER_DENSE_CVAE,
  createEngine,
  networkByName,
  startParallelTraining,
  startTraining,
} from '@bbdistill/compute';
import type { ClassifierOptions, Engine, EngineName, Training, TrainingOptions } from '@bbdistill/compute';
import type { ImageShape } from '@bbdistill/common';
import type { Case, Contestant, Stint } from './contestant.js';

const GREY = { height: 28, width: 28, channels: 1 };
const COLOUR = { height: 32, width: 32, channels: 3 };
const CLASSES = 10;
const LEARNING_RATE = 1e-3;
const STEPS_BEFORE = 3;
/** Images that the batches are drawn from, a whole number of batches. */
const BATCHES = 4;

const CLASSIFIERS: Record<Exclude<Case, 'cvae'>, { shape: ImageShape; batch: number }> = {
  lenet5: { shape: GREY, batch: 64 },
  'lenet5-half': { shape: GREY, batch: 64 },
  'alexnet-half': { shape: COLOUR, batch: 128 },
  resnet20: { shape: COLOUR, batch: 64 },
};

/**
 * Our engine. A step of a classifier takes its batch from a set of uint8 images, as a training does; that of the peer
 * finds its batch in place.
 * @throws FailedPreconditionError where this engine can't be had here
 */
export async function startOwnEngine(name: EngineName, threads: number): Promise<Contestant> {
  const engine = await createEngine(name, 'preferred');
  const trainings: Training[] = [];
  const steps = new Map<Case, (() => void) | undefined>();
  return {
    engine: engine.name,
    threads,
    isPeer: false,
    async run(name, seconds) {
      if (!steps.has(name)) {
        const step =
          name === 'cvae' ? cvaeStep(engine, threads) : await classifierStep(engine, name, threads, trainings);
        for (let i = 0; i < STEPS_BEFORE; i++) step?.();
        steps.set(name, step);
      }
      const step = steps.get(name);
      return step && measure(step, seconds);
    },
    async stop() {
      for (const training of trainings) await training.close();
    },
  };
}

function measure(step: () => void, seconds: number): Stint {
  const cpuSeconds = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  };
  const [cpuBegin, wallBegin] = [cpuSeconds(), performance.now()];
  let steps = 0;
  while (cpuSeconds() - cpuBegin < seconds) {
    step();
    steps++;
  }
  return { steps, cpuSeconds: cpuSeconds() - cpuBegin, wallSeconds: (performance.now() - wallBegin) / 1000 };
}

/** @returns undefined on several threads: nobody fits a CVAE on more than one */
function cvaeStep(engine: Engine, threads: number): (() => void) | undefined {
  if (threads > 1) return undefined;
  const batch = 256;
  const cvae = engine.createCvae({
    shape: GREY,
    classes: CLASSES,
    latent: 2,
    architecture: PAPER_DENSE_CVAE,
    batch,
    seed: 1,
    optimiser: DEFAULT_ADAM,
  });
  fillUniform(cvae.images, 'images');
  fillUniform(cvae.noise, 'noise');
  for (let row = 0; row < batch; row++) cvae.conditions[row * CLASSES + (row % CLASSES)] = 1;
  return () => cvae.trainStep(batch, LEARNING_RATE);
}

/** @returns undefined where the engine has no such network */
async function classifierStep(
  engine: Engine,
  name: Exclude<Case, 'cvae'>,
  threads: number,
  trainings: Training[],
): Promise<(() => void) | undefined> {
  try {
    const options = trainingOptions(name);
    const training =
      threads > 1 ? await startParallelTraining(engine, options, threads) : startTraining(engine, options);
    trainings.push(training);
    let step = 0;
    return () => training.step(step++, LEARNING_RATE);
  } catch (error) {
    if (error instanceof InvalidArgumentError) return undefined;
    throw error;
  }
}

function trainingOptions(name: Exclude<Case, 'cvae'>): TrainingOptions {
  const { shape, batch } = CLASSIFIERS[name];
  const count = BATCHES * batch;
  const classifier: ClassifierOptions = {
    network: networkByName(name, shape, CLASSES),
    batch,
    seed: 1,
    loss: { balance: 0, temperature: 1 },
    optimiser: DEFAULT_ADAM,
  };
  const random = new RandomStream(1, 'images');
  const pixels = Uint8Array.from({ length: count * shape.height * shape.width * shape.channels }, () =>
    random.integer(256),
  );
  const targets = new Float32Array(count * CLASSES);
  for (let row = 0; row < count; row++) targets[row * CLASSES + (row % CLASSES)] = 1;
  const augmentation = { mixupAlpha: 0, rotationDegrees: 0, shift: 0, flip: false };
  return { classifier, rows: { pixels, targets }, count, shape, classes: CLASSES, seed: 1, augmentation };
}

function fillUniform(target: Float32Array, purpose: string): void {
  const random = new RandomStream(1, purpose);
  for (let i = 0; i < target.length; i++) target[i] = random.uniform();
}
