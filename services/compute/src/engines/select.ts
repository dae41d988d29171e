import { readdirSync } from 'node:fs';
import { FailedPreconditionError, InvalidArgumentError } from '@bbdistill/common/base';
import type { Engine, EngineName, GpuWish } from '../engine.js';
import { createNativeEngine } from './native.js';
import { createWasmEngine } from './wasm.js';

type ConcreteName = Exclude<EngineName, 'auto'>;

/** One rung of the ladder. */
export interface EngineCandidate {
  name: ConcreteName;
  usesGpu: boolean;
  /** Whether `auto` may take it; the others are to be had by name only. */
  inAuto: boolean;
  /** @throws where it doesn't load or finds no device; the message says why */
  create(): Promise<Engine>;
}

/** The engines of this build, best first: `auto` takes the first that loads. */
const LADDER: readonly EngineCandidate[] = [
  { name: 'native', usesGpu: false, inAuto: true, create: async () => createNativeEngine() },
  { name: 'wasm', usesGpu: false, inAuto: true, create: async () => createWasmEngine() },
];

const ALL_NAMES: readonly EngineName[] = ['auto', 'native', 'wasm', 'tensorflow-gpu', 'tensorflow', 'webgpu'];

/** GPU devices of this machine as the kernel shows them, e.g. `nvidia0`, `renderD128`. */
export function visibleGpus(): string[] {
  const matching = (folder: string, pattern: RegExp) => {
    try {
      return readdirSync(folder).filter((name) => pattern.test(name));
    } catch {
      // No such folder: no such device.
      return [];
    }
  };
  return [...matching('/dev', /^nvidia\d+$/), ...matching('/dev/dri', /^renderD\d+$/)];
}

/**
 * The engine for this process (DESIGN §8).
 * @param name `auto` takes the best that loads
 * @param gpu `required` never falls back to a CPU; `never` leaves GPU engines out
 * @param ladder the engines to choose from, best first
 * @param findGpus lists GPU devices, for the refusal's message
 * @throws InvalidArgumentError where the name isn't an engine's or contradicts `gpu`
 * @throws FailedPreconditionError where the engine isn't in this build, doesn't load, or a GPU is required in vain
 */
export async function createEngine(
  name: EngineName,
  gpu: GpuWish,
  ladder: readonly EngineCandidate[] = LADDER,
  findGpus: () => string[] = visibleGpus,
): Promise<Engine> {
  if (!ALL_NAMES.includes(name)) {
    throw new InvalidArgumentError(`engine: '${name}' is not known; use one of ${ALL_NAMES.join(', ')}`);
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
      return await candidate.create();
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      failures.push({ message: `${candidate.name}: ${message}`, cause });
    }
  }
  const why = failures.map(({ message }) => `; ${message}`).join('');
  if (gpu === 'required') {
    const devices = findGpus();
    throw new FailedPreconditionError(
      `gpu: required, but no engine on a GPU could be had for engine: ${name} (engines here: ${here}; GPU devices ` +
        `found: ${devices.join(', ') || 'none'})${why}; set gpu: preferred to train on the CPU`,
      { code: 'GPU_REQUIRED', cause: failures[0]?.cause },
    );
  }
  throw new FailedPreconditionError(`engine: ${name} could not be started${why}`, {
    code: 'ENGINE_FAILED',
    cause: failures[0]?.cause,
  });
}
