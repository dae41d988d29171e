import { RandomStream } from '@bbdistill/common';
import { DEFAULT_ADAM, PAPER_DENSE_CVAE, createEngine, networkByName } from '@bbdistill/compute';
import type { Engine, EngineName } from '@bbdistill/compute';
import type { Case, Contestant, Stint } from './contestant.js';

const SHAPE = { height: 28, width: 28, channels: 1 };
const CLASSES = 10;
const LEARNING_RATE = 1e-3;
const STEPS_BEFORE = 30;
const STEPS_BETWEEN_LOOKS = 5;

/** @throws FailedPreconditionError where this engine can't be had here */
export async function startOwnEngine(name: EngineName): Promise<Contestant> {
  const engine = await createEngine(name, 'preferred');
  const steps = new Map<Case, () => void>();
  return {
    engine: engine.name,
    threads: 1,
    isPeer: false,
    async run(name, seconds) {
      let step = steps.get(name);
      if (!step) {
        step = compile(engine, name);
        steps.set(name, step);
        for (let i = 0; i < STEPS_BEFORE; i++) step();
      }
      return measure(step, seconds);
    },
    async stop() {},
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
    for (let i = 0; i < STEPS_BETWEEN_LOOKS; i++) step();
    steps += STEPS_BETWEEN_LOOKS;
  }
  return { steps, cpuSeconds: cpuSeconds() - cpuBegin, wallSeconds: (performance.now() - wallBegin) / 1000 };
}

function compile(engine: Engine, name: Case): () => void {
  if (name === 'cvae') {
    const batch = 256;
    const cvae = engine.createCvae({
      shape: SHAPE,
      classes: CLASSES,
      latent: 2,
      architecture: PAPER_DENSE_CVAE,
      batch,
      seed: 1,
      optimiser: DEFAULT_ADAM,
    });
    fillUniform(cvae.images, 'images');
    fillUniform(cvae.noise, 'noise');
    fillOneHot(cvae.conditions);
    return () => cvae.trainStep(batch, LEARNING_RATE);
  }
  const batch = 64;
  const classifier = engine.createClassifier({
    network: networkByName(name, SHAPE, CLASSES),
    batch,
    seed: 1,
    loss: { balance: 0, temperature: 1 },
    optimiser: DEFAULT_ADAM,
  });
  fillUniform(classifier.images, 'images');
  fillOneHot(classifier.targets);
  return () => classifier.trainStep(batch, LEARNING_RATE);
}

function fillUniform(target: Float32Array, purpose: string): void {
  const random = new RandomStream(1, purpose);
  for (let i = 0; i < target.length; i++) target[i] = random.uniform();
}

function fillOneHot(target: Float32Array): void {
  target.fill(0);
  for (let row = 0; row * CLASSES < target.length; row++) target[row * CLASSES + (row % CLASSES)] = 1;
}
