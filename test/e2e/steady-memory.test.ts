import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { addonInstructionSets } from '../helpers/kernel-families.js';

const SCRIPT = fileURLToPath(new URL('../fixtures/training/steady-memory.mjs', import.meta.url));
/** The history takes less than one, an entry an epoch; a number that is kept would take 8 or more. */
const MAX_GROWTH_BYTES_PER_STEP = 6;
/** Of all steps together, for what grows by leaps, as arrays do. */
const MAX_GROWTH_BYTES = 512 << 10;
/** Numbers of the draws on the heap, closures, a promise now and then; a batch of images as floats has 1152. */
const MAX_GARBAGE_BYTES_PER_STEP = 1_500;

interface SteadyMemory {
  grown: number;
  grownPerStep: number;
  garbagePerStep: number;
}

/** How what the training holds grows by a step after warming up, and what a step leaves behind. */
async function measured(engine: string, steps: number, threads: number): Promise<SteadyMemory> {
  const given = ['--expose-gc', SCRIPT, engine, String(steps), String(threads)];
  const { stdout } = await promisify(execFile)(process.execPath, given);
  return JSON.parse(stdout) as SteadyMemory;
}

describe('training - memory in the steady state', () => {
  const engines = addonInstructionSets().length > 0 ? ['wasm', 'native'] : ['wasm'];
  it.each([...engines.map((engine) => [engine, 10_000, 1] as const), ['wasm', 4_000, 2] as const])(
    'on %s is flat over %i steps of %i threads',
    async (engine, steps, threads) => {
      const { grown, grownPerStep, garbagePerStep } = await measured(engine, steps, threads);
      expect(grown).toBeLessThan(MAX_GROWTH_BYTES);
      expect(grownPerStep).toBeLessThan(MAX_GROWTH_BYTES_PER_STEP);
      expect(garbagePerStep).toBeLessThan(MAX_GARBAGE_BYTES_PER_STEP);
    },
  );
});
