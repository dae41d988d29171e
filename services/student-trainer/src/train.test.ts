import type { EpochMetrics__Output } from '@bbdistill/common/gen/bbdistill/v1/EpochMetrics.js';
import type { TrainingRecipe__Output } from '@bbdistill/common/gen/bbdistill/v1/TrainingRecipe.js';
import { MAX_RESULT_EPOCHS, ManualClock, encodeTensors, sha256Hex, thinnedHistory } from '@bbdistill/common';
import { DEFAULT_ADAM, MAX_EPOCHS, argmaxRows, createEngine, encodeWeights, networkByName } from '@bbdistill/compute';
import type { Engine, WeightTensor } from '@bbdistill/compute';
import { beforeAll, describe, expect, it } from 'vitest';
import { TINY_SHAPE, tinyImages } from '../../../test/helpers/tiny-images.js';
import { decodeCheckpoint, encodeCheckpoint } from './checkpoint.js';
import type { TrainingCheckpoint } from './checkpoint.js';
import { BEST_RECIPE, PAPER_RECIPE } from './recipes.js';
import { trainStudent } from './train.js';
import type { TrainedStudent, TrainingHooks, TrainingPart, TrainingPlan } from './train.js';

let engine: Engine;
beforeAll(async () => {
  engine = await createEngine('wasm', 'never');
});

const clock = new ManualClock();
function hooks(change: Partial<TrainingHooks> = {}): TrainingHooks {
  return {
    clock,
    signal: new AbortController().signal,
    progress: () => undefined,
    saveCheckpoint: async () => undefined,
    checkpointIntervalMs: 30_000,
    ...change,
  };
}

function plan(change: Partial<TrainingRecipe__Output> = {}, seed = 1, classes = 3): TrainingPlan {
  return {
    network: networkByName('lenet5-half', TINY_SHAPE, classes),
    recipe: { ...BEST_RECIPE.training, epochs: 6, batch: 16, ...change },
    seed,
    threads: 1,
  };
}

function hashOf(weights: WeightTensor[]): string {
  return sha256Hex(encodeWeights({ network: 'lenet5-half', classes: 3, shape: TINY_SHAPE, weights }));
}

function historyOf(epochs: number): EpochMetrics__Output[] {
  return Array.from({ length: epochs }, (_, at) => ({ epoch: at + 1, loss: 1 / (at + 3), learningRate: 1 / (at + 7) }));
}

describe('training - learning', () => {
  it.each([
    ['best', { schedule: 'one-cycle' }],
    ['paper', { ...PAPER_RECIPE.training, epochs: 30, batch: 16 }],
    ['mixed with hard answers', { balance: 0.5, temperature: 2, weightDecay: 1e-3 }],
  ])('by the %s recipe names unseen images as the teacher would', async (_name, change) => {
    const trained = await trainStudent(engine, tinyImages(96), plan(change), hooks());
    const unseen = tinyImages(60, 3, 2);
    const student = engine.createClassifier({
      network: plan().network,
      batch: 1,
      seed: 0,
      loss: { balance: 0, temperature: 1 },
      optimiser: DEFAULT_ADAM,
    });
    student.setWeights(trained.weights);
    const named = argmaxRows(student.predict(unseen.pixels, 60), 3);
    expect(named.filter((k, n) => k === unseen.labels[n]).length).toBeGreaterThan(54);
  });

  it('keeps a history of every epoch with a falling loss', async () => {
    const { history, steps, parameters } = await trainStudent(engine, tinyImages(100), plan(), hooks());
    expect(steps).toBe(36);
    expect(history.map(({ epoch }) => epoch)).toEqual([1, 2, 3, 4, 5, 6]);
    expect(history.at(-1)!.loss).toBeLessThan(history[0]!.loss * 0.8);
    expect(history.at(-1)!.learningRate).toBeCloseTo(5e-3 / 25e4, 10);
    expect(parameters).toBeGreaterThan(1000);
  });
});

describe('training - determinism', () => {
  it('ends with the same bytes for the same seed and with others for another', async () => {
    const weightsOf = async (seed: number) =>
      hashOf((await trainStudent(engine, tinyImages(40), plan({}, seed), hooks())).weights);
    const first = await weightsOf(1);
    expect(await weightsOf(1)).toBe(first);
    expect(await weightsOf(2)).not.toBe(first);
  });

  it('ends with the same bytes for the same number of threads', async () => {
    const onTwo = () => trainStudent(engine, tinyImages(40), { ...plan({ epochs: 2 }), threads: 2 }, hooks());
    const [first, second] = [await onTwo(), await onTwo()];
    expect(first.threads).toBe(2);
    expect(hashOf(second.weights)).toBe(hashOf(first.weights));
    const alone = await trainStudent(engine, tinyImages(40), plan({ epochs: 2 }), hooks());
    expect(alone.history.at(-1)!.loss).toBeCloseTo(first.history.at(-1)!.loss, 4);
  });
});

describe('training - averaged weights', () => {
  it('are the student, and change nothing else of the training', async () => {
    const images = tinyImages(48);
    const [last, averaged] = [
      await trainStudent(engine, images, plan(), hooks()),
      await trainStudent(engine, images, plan({ emaDecay: 0.9 }), hooks()),
    ];
    expect(averaged.history).toEqual(last.history);
    const started = await trainStudent(engine, images, plan({ learningRate: 1e-12 }), hooks());
    // Between the first weights and the last ones.
    const distance = (from: WeightTensor[], to: WeightTensor[]) =>
      Math.hypot(...from.flatMap(({ data }, at) => [...data].map((value, i) => value - to[at]!.data[i]!)));
    const way = distance(started.weights, last.weights);
    expect(distance(averaged.weights, last.weights)).toBeGreaterThan(way / 100);
    expect(distance(averaged.weights, last.weights)).toBeLessThan(way);
  });
});

describe('training - checkpoints', () => {
  const paper = { ...PAPER_RECIPE.training, epochs: 9, batch: 16 };

  it.each([
    ['the last weights', 0, 1],
    ['averaged weights', 0.97, 1],
    ['averaged weights of two threads', 0.97, 2],
  ])('a trainer killed between two checkpoints ends with the same %s and history', async (_what, emaDecay, threads) => {
    const images = tinyImages(90);
    const averaging = { ...plan({ ...paper, emaDecay }), threads };
    const whole = await trainStudent(engine, images, averaging, hooks());
    const time = new ManualClock();
    const saved: Uint8Array[] = [];
    const killed = trainStudent(
      engine,
      images,
      averaging,
      hooks({
        clock: time,
        progress: (step) => {
          // Step 16 is no time for a checkpoint yet, 32 is one and lies within an epoch, 45 is the last.
          if (step > 0) void time.advance(20_000);
          if (step === 45) throw new Error('killed');
        },
        saveCheckpoint: async (checkpoint) => void saved.push(encodeCheckpoint(checkpoint)),
        checkpointIntervalMs: 30_000,
      }),
    );
    await killed.catch(() => undefined);
    expect(saved).toHaveLength(1);
    const checkpoint = decodeCheckpoint(saved[0]!);
    expect(checkpoint.step).toBe(32);
    expect(checkpoint.history).toHaveLength(6);
    const resumed = await trainStudent(engine, images, averaging, hooks(), checkpoint);
    expect(hashOf(resumed.weights)).toBe(hashOf(whole.weights));
    expect(resumed.history).toEqual<EpochMetrics__Output[]>(whole.history);
    expect(resumed.steps).toBe(whole.steps);
  });

  it.each([
    ['engine', { engine: 'other', threads: 1 }],
    ['instruction set', { engine: 'wasm', engineDescription: 'wasm of 512 bit', threads: 1 }],
    ['number of threads', { engine: 'wasm', threads: 2 }],
  ])('of another %s are left aside', async (_what, by) => {
    const checkpoint = { ...by, step: 10, epochLossSum: 0, history: [], classifier: new Uint8Array(3) };
    const images = tinyImages(20);
    const short = plan({ epochs: 1 });
    const fresh = await trainStudent(engine, images, short, hooks());
    const other = await trainStudent(engine, images, short, hooks(), checkpoint);
    expect(hashOf(other.weights)).toBe(hashOf(fresh.weights));
  });

  it.each([
    ['of the same engine tell what it is', (description: string) => ({ engineDescription: description })],
    ['that are older and do not tell it', () => ({})],
  ])('%s, and are gone on with', async (_what, told) => {
    const saved: TrainingCheckpoint[] = [];
    const stopped = hooks({ saveCheckpoint: (at) => void saved.push(at), checkpointIntervalMs: 0 });
    const whole = await trainStudent(engine, tinyImages(90), plan(paper), stopped);
    const { engineDescription, ...older } = saved[0]!;
    expect(engineDescription).toBe(engine.description);
    const begun: number[] = [];
    const watched = hooks({ progress: (step) => void begun.push(step) });
    const again = { ...older, ...told(engine.description) };
    const resumed = await trainStudent(engine, tinyImages(90), plan(paper), watched, again);
    expect(begun[0]).toBe(saved[0]!.step);
    expect(hashOf(resumed.weights)).toBe(hashOf(whole.weights));
  });

  it('come back with the history of as many epochs as a recipe may have', () => {
    const { name, description } = engine;
    const checkpoint: TrainingCheckpoint = {
      ...{ engine: name, engineDescription: description, threads: 2, step: 7, epochLossSum: 0.1 },
      ...{ history: historyOf(MAX_EPOCHS), classifier: Uint8Array.of(1, 2, 3) },
    };
    expect(decodeCheckpoint(encodeCheckpoint(checkpoint))).toEqual(checkpoint);
    const begun = { ...checkpoint, history: [] };
    expect(decodeCheckpoint(encodeCheckpoint(begun))).toEqual(begun);
  });

  it('of the form before, with the history in the metadata, are read', () => {
    const rest = { engine: 'wasm', step: 7, epochLossSum: 0.1, history: historyOf(3) };
    const classifier = Uint8Array.of(1, 2, 3);
    const older = encodeTensors({
      metadata: { format: 'bbdistill-training-1', training: JSON.stringify(rest) },
      tensors: { classifier: { dtype: 'U8', shape: [3], data: classifier } },
    });
    expect(decodeCheckpoint(older)).toEqual({ ...rest, classifier });
  });

  it('are not read from a file of something else', () => {
    expect(() => decodeCheckpoint(encodeTensors({ metadata: {}, tensors: {} }))).toThrow(/no checkpoint/);
  });
});

describe('training - in parts', () => {
  const images = tinyImages(90);
  const inParts = async (
    change: Partial<TrainingRecipe__Output>,
    parts: readonly Partial<TrainingPart>[],
    data = images,
  ) => {
    let trained: TrainedStudent | undefined;
    for (const part of parts) {
      const all = { totalSteps: 30, newestImages: 0, newestDraws: 1, firstStep: 0, endStep: 30 };
      const planned = { ...plan(change), part: { ...all, scheduleFrom: 0, scheduleTo: 1, ...part } };
      trained = await trainStudent(engine, data, planned, hooks(), trained?.checkpoint);
    }
    return trained!;
  };

  it.each(['one-cycle', 'step', 'cosine', 'plateau'])(
    'on the same images, cut at an epoch, they end with the same bytes as the whole, by the %s schedule',
    async (schedule) => {
      const whole = await trainStudent(engine, images, plan({ schedule }), hooks());
      const parted = await inParts({ schedule }, [
        { endStep: 15, scheduleTo: 0.5 },
        { firstStep: 15, scheduleFrom: 0.5 },
      ]);
      expect(hashOf(parted.weights)).toBe(hashOf(whole.weights));
      expect(parted.history.map(({ loss }) => loss)).toEqual(whole.history.map(({ loss }) => loss));
    },
  );

  it('go through the schedule as each says', async () => {
    const { history } = await inParts({ schedule: 'cosine', learningRate: 1e-3 }, [
      { endStep: 20, scheduleTo: 0.5 },
      { firstStep: 20, scheduleFrom: 0.5 },
    ]);
    const cosine = (place: number) => 0.5e-3 * (1 + Math.cos(Math.PI * place));
    // Steps 5, 10 … 30 end an epoch; the rate is that of the step that ends it.
    const places = [4, 9, 14, 19].map((step) => step / 40).concat([24, 29].map((step) => 0.5 + (step - 20) / 20));
    history.forEach(({ learningRate }, i) => expect(learningRate).toBeCloseTo(cosine(places[i]!), 9));
  });

  it('end with another student where they draw the newest images more often', async () => {
    const alike = await inParts({}, [{}]);
    const newest = await inParts({}, [{ newestImages: 30, newestDraws: 3 }]);
    expect(hashOf(newest.weights)).not.toBe(hashOf(alike.weights));
  });

  it.each([['number of threads', { threads: 2 }, {}]])(
    'do not go on from a part of another %s',
    async (_what, planned, told) => {
      const first = await inParts({}, [{ endStep: 10, scheduleTo: 0.5 }]);
      const part = { firstStep: 10, endStep: 30, totalSteps: 30, newestImages: 0, newestDraws: 1 };
      const second = { ...plan(), ...planned, part: { ...part, scheduleFrom: 0.5, scheduleTo: 1 } };
      const before = { ...first.checkpoint!, ...told };
      await expect(trainStudent(engine, images, second, hooks(), before)).rejects.toMatchObject({
        code: 'TRAINING_PART_MISMATCH',
      });
    },
  );

  it('go on from a part of another instruction set: there is nothing to begin anew with', async () => {
    const first = await inParts({}, [{ endStep: 10, scheduleTo: 0.5 }]);
    const part = { firstStep: 10, endStep: 30, totalSteps: 30, newestImages: 0, newestDraws: 1 };
    const second = { ...plan(), part: { ...part, scheduleFrom: 0.5, scheduleTo: 1 } };
    const before = { ...first.checkpoint!, engineDescription: 'wasm of 512 bit' };
    expect((await trainStudent(engine, images, second, hooks(), before)).steps).toBe(30);
  });
});

describe('training - the history of a result', () => {
  it('is whole up to as many epochs as fit', () => {
    expect(thinnedHistory(historyOf(MAX_RESULT_EPOCHS))).toEqual(historyOf(MAX_RESULT_EPOCHS));
    expect(thinnedHistory([])).toEqual([]);
  });

  it.each([MAX_RESULT_EPOCHS + 1, 15_000, MAX_EPOCHS])(
    'of %i epochs is thinned evenly, first and last kept',
    (epochs) => {
      const thinned = thinnedHistory(historyOf(epochs));
      expect(thinned).toHaveLength(MAX_RESULT_EPOCHS);
      expect([thinned[0]!.epoch, thinned.at(-1)!.epoch]).toEqual([1, epochs]);
      const gaps = thinned.slice(1).map(({ epoch }, at) => epoch - thinned[at]!.epoch);
      expect(Math.min(...gaps)).toBeGreaterThan(0);
      expect(Math.max(...gaps) - Math.min(...gaps)).toBeLessThanOrEqual(1);
    },
  );
});

describe('training - edges', () => {
  it('takes fewer images than a batch', async () => {
    const { steps, history } = await trainStudent(engine, tinyImages(5), plan(), hooks());
    expect(steps).toBe(6);
    expect(history).toHaveLength(6);
  });

  it('takes a single image, by the paper recipe too', async () => {
    const recipe = { ...PAPER_RECIPE.training, epochs: 1 };
    const { steps } = await trainStudent(engine, tinyImages(1), plan(recipe), hooks());
    expect(steps).toBe(1);
  });

  it('fails a loss that is not a number with its step', async () => {
    const training = trainStudent(engine, tinyImages(32), plan({ schedule: 'constant', learningRate: 1e30 }), hooks());
    await expect(training).rejects.toMatchObject({ code: 'NAN_LOSS' });
    await expect(training).rejects.toThrow(/at step \d+/);
  });

  it('stops when it is cancelled', async () => {
    const stop = new AbortController();
    const training = trainStudent(
      engine,
      tinyImages(64),
      plan({ epochs: 1000 }),
      hooks({ signal: stop.signal, progress: (step) => void (step > 0 && stop.abort()) }),
    );
    await expect(training).rejects.toMatchObject({ kind: 'cancelled' });
  });
});
