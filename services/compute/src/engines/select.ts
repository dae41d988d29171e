import { FailedPreconditionError, InvalidArgumentError, runWorkerTask } from '@bbdistill/common/base';
import type { TaskIsolation } from '@bbdistill/common/base';
import { ENGINE_NAMES } from '../engine.js';
import type { Engine, EngineName, GpuWish } from '../engine.js';
import { describeGpuFindings, findGpus } from './gpu-findings.js';
import { createNativeEngine } from './native.js';
import { createTensorflowEngine, requireTensorflow } from './tensorflow.js';
import { createWasmEngine } from './wasm.js';
import { createWebgpuEngine } from './webgpu/engine.js';
import { findWebgpuPackages } from './webgpu/packages.js';

/** One rung of the ladder. */
export interface EngineCandidate {
  name: Engine['name'];
  usesGpu: boolean;
  /** Whether `auto` may take it; the others are to be had by name only. */
  inAuto: boolean;
  /** `process`: it is a native library that a worker thread would crash. */
  isolation: TaskIsolation;
  /** Throws what `create` would, as far as that can be known without loading anything large. */
  look?(): void;
  /** @throws where it doesn't load or finds no device; the message says why */
  create(gpu: GpuWish): Promise<Engine>;
}

/** The engines of this build, best first: `auto` takes the first that loads. */
const LADDER: readonly EngineCandidate[] = [
  {
    ...{ name: 'tensorflow-gpu', usesGpu: true, inAuto: true, isolation: 'process' },
    look: () => void requireTensorflow('tensorflow-gpu'),
    create: async () => createTensorflowEngine('tensorflow-gpu'),
  },
  {
    ...{ name: 'native', usesGpu: false, inAuto: true, isolation: 'thread' },
    create: async () => createNativeEngine(),
  },
  { ...{ name: 'wasm', usesGpu: false, inAuto: true, isolation: 'thread' }, create: async () => createWasmEngine() },
  {
    ...{ name: 'tensorflow', usesGpu: false, inAuto: false, isolation: 'process' },
    look: () => void requireTensorflow('tensorflow'),
    create: async () => createTensorflowEngine('tensorflow'),
  },
  {
    ...{ name: 'webgpu', usesGpu: true, inAuto: false, isolation: 'process' },
    look: () => void findWebgpuPackages(),
    create: (gpu) => createWebgpuEngine(gpu),
  },
];

/** Where the tasks of this engine have to run; those of `auto` run in a thread, on the best engine that can. */
export function isolationOf(name: EngineName): TaskIsolation {
  return LADDER.find((candidate) => candidate.name === name)?.isolation ?? 'thread';
}

/**
 * The engine for this thread (DESIGN §8).
 * @param name `auto` takes the best that loads
 * @param gpu `required` never falls back to a CPU; `never` leaves GPU engines out
 * @param ladder the engines to choose from, best first
 * @param describeGpus what there is of a GPU, for the refusal's message
 * @throws InvalidArgumentError where the name isn't an engine's or contradicts `gpu`
 * @throws FailedPreconditionError where the engine isn't in this build, doesn't load, or a GPU is required in vain
 */
export function createEngine(
  name: EngineName,
  gpu: GpuWish,
  ladder: readonly EngineCandidate[] = LADDER,
  describeGpus: () => string = () => describeGpuFindings(findGpus()),
): Promise<Engine> {
  return firstThatLoads(name, gpu, ladder, describeGpus, (candidate) => candidate.create(gpu));
}

/** What would compute, and as its `description` says of itself. */
export type ChosenEngine = Pick<Engine, 'name' | 'description'>;

/**
 * As `createEngine` chooses, for a service that leaves the computing to tasks: an engine that needs a process is only
 * tried in one, so that the service itself never loads it.
 * @throws as `createEngine`
 */
export function chooseEngine(name: EngineName, gpu: GpuWish): Promise<ChosenEngine> {
  const describeGpus = () => describeGpuFindings(findGpus());
  return firstThatLoads(name, gpu, LADDER, describeGpus, async (candidate): Promise<ChosenEngine> => {
    if (candidate.isolation === 'thread') return candidate.create(gpu);
    candidate.look?.();
    return runWorkerTask<ProbeInput, ChosenEngine>({
      script: new URL('./probe-task.ts', import.meta.url),
      input: { engine: candidate.name, gpu },
      isolation: candidate.isolation,
      signal: new AbortController().signal,
    });
  });
}

/** Of `probe-task.ts`. */
export interface ProbeInput {
  engine: Engine['name'];
  gpu: GpuWish;
}

async function firstThatLoads<T>(
  name: EngineName,
  gpu: GpuWish,
  ladder: readonly EngineCandidate[],
  describeGpus: () => string,
  load: (candidate: EngineCandidate) => Promise<T>,
): Promise<T> {
  if (!ENGINE_NAMES.includes(name)) {
    throw new InvalidArgumentError(`engine: '${name}' is not known; use one of ${ENGINE_NAMES.join(', ')}`);
  }
  const here = ladder.map((candidate) => candidate.name).join(', ');
  const named = ladder.filter((candidate) => (name === 'auto' ? candidate.inAuto : candidate.name === name));
  if (named.length === 0) {
    throw new FailedPreconditionError(`engine: ${name} is not in this build; here are: ${here}`, {
      code: 'ENGINE_MISSING',
    });
  }
  const allowed = named.filter(({ usesGpu }) => (gpu === 'required' ? usesGpu : gpu === 'never' ? !usesGpu : true));
  if (allowed.length === 0 && gpu === 'never') {
    throw new InvalidArgumentError(`engine: ${name} needs a GPU, but gpu is 'never'; change one of the two`);
  }
  const failures: { message: string; cause: unknown }[] = [];
  for (const candidate of allowed) {
    try {
      return await load(candidate);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      failures.push({ message: `${candidate.name}: ${message}`, cause });
    }
  }
  const why = failures.map(({ message }) => `; ${message}`).join('');
  if (gpu === 'required') {
    throw new FailedPreconditionError(
      `gpu: required, but no engine on a GPU could be had for engine: ${name} (${describeGpus()})${why}; ` +
        'set gpu: preferred to train on the CPU',
      { code: 'GPU_REQUIRED', cause: failures[0]?.cause },
    );
  }
  throw new FailedPreconditionError(`engine: ${name} could not be started${why}`, {
    code: 'ENGINE_FAILED',
    cause: failures[0]?.cause,
  });
}
