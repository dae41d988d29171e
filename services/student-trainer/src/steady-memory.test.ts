import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { ManualClock } from '@bbdistill/common';
import { networkByName } from '@bbdistill/compute';
import type { Engine } from '@bbdistill/compute';
import { describe, expect, it } from 'vitest';
import { kernelFamilies } from '../../../test/helpers/kernel-families.js';
import { TINY_SHAPE, tinyImages } from '../../../test/helpers/tiny-images.js';
import { PAPER_RECIPE } from './recipes.js';
import { trainStudent } from './train.js';

setFlagsFromString('--expose_gc');
const collectGarbage = runInNewContext('gc') as () => void;

const IMAGES = 800;
const BATCH = 2;
const STEPS_PER_EPOCH = IMAGES / BATCH;
/** By then everything is compiled and every buffer is there. */
const WARM_STEP = 2_000;
/** A multiple of the steps between two reports of progress. */
const STEPS_PER_LOOK = 400;
/** The history takes less than one, an entry an epoch; a number that is kept would take 8 or more. */
const MAX_GROWTH_BYTES_PER_STEP = 6;
/** Of all steps together, for what grows by leaps, as arrays do; the test's runner takes some itself. */
const MAX_GROWTH_BYTES = 512 << 10;
/** Numbers of the draws on the heap, closures, a promise now and then; a batch of images as floats has 1152. */
const MAX_GARBAGE_BYTES_PER_STEP = 1_500;

function heldBytes(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function median(numbers: Float64Array): number {
  return numbers.sort()[numbers.length >> 1]!;
}

/** What a step keeps shows between any two looks; what the test's runner keeps now and then, between some of them. */
function lowerQuartile(numbers: Float64Array): number {
  return numbers.sort()[numbers.length >> 2]!;
}

/** Trains, and measures how what is held grows by a step after warming up, and what a step leaves behind. */
async function measured(engine: Engine, steps: number, threads: number) {
  const network = networkByName('lenet5-half', TINY_SHAPE, 3);
  const recipe = { ...PAPER_RECIPE.training, epochs: steps / STEPS_PER_EPOCH, batch: BATCH, emaDecay: 0.99 };
  const augmented = { ...recipe, batchMixupAlpha: 0.4, flip: true };
  const held: number[] = [];
  const garbage = new Float64Array(steps);
  let [looks, before, stepBefore] = [0, 0, 0];
  await trainStudent(
    engine,
    tinyImages(IMAGES),
    { network, recipe: augmented, seed: 1, threads },
    {
      clock: new ManualClock(),
      signal: new AbortController().signal,
      checkpointIntervalMs: Infinity,
      saveCheckpoint: () => undefined,
      progress(step) {
        if (step >= WARM_STEP) {
          garbage[looks++] = (process.memoryUsage().heapUsed - before) / (step - stepBefore);
          if (step % STEPS_PER_LOOK === 0) held.push(heldBytes());
        }
        stepBefore = step;
        before = process.memoryUsage().heapUsed;
      },
    },
  );
  const growth = Float64Array.from({ length: held.length - 1 }, (_, i) => (held[i + 1]! - held[i]!) / STEPS_PER_LOOK);
  const grown = held.at(-1)! - held[0]!;
  // Where garbage was collected in between there is less than before: the median doesn't see it.
  return { grown, grownPerStep: lowerQuartile(growth), garbagePerStep: median(garbage.subarray(0, looks)) };
}

describe('training - memory in the steady state', () => {
  // WebAssembly and the best of the native ones.
  const cases = kernelFamilies()
    .slice(0, 2)
    .map(({ name, engine }) => [name, engine] as const);
  it.each(cases)('is flat over 10 000 steps on %s', async (_name, engine) => {
    const { grown, grownPerStep, garbagePerStep } = await measured(engine, 10_000, 1);
    expect(grown).toBeLessThan(MAX_GROWTH_BYTES);
    expect(grownPerStep).toBeLessThan(MAX_GROWTH_BYTES_PER_STEP);
    expect(garbagePerStep).toBeLessThan(MAX_GARBAGE_BYTES_PER_STEP);
  });

  it('is flat over the steps of two threads', async () => {
    const { grown, grownPerStep, garbagePerStep } = await measured(kernelFamilies()[0]!.engine, 4_000, 2);
    expect(grown).toBeLessThan(MAX_GROWTH_BYTES);
    expect(grownPerStep).toBeLessThan(MAX_GROWTH_BYTES_PER_STEP);
    expect(garbagePerStep).toBeLessThan(MAX_GARBAGE_BYTES_PER_STEP);
  });
});
