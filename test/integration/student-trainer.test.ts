import { connect, decodeTensors, encodeLabels, silentLogger } from '@bbdistill/common';
import type { ServiceClient, Stores } from '@bbdistill/common';
import type { EvaluateResult__Output } from '@bbdistill/common/gen/bbdistill/v1/EvaluateResult.js';
import type { ExportResult__Output } from '@bbdistill/common/gen/bbdistill/v1/ExportResult.js';
import type { TrainRequest } from '@bbdistill/common/gen/bbdistill/v1/TrainRequest.js';
import type { TrainResult__Output } from '@bbdistill/common/gen/bbdistill/v1/TrainResult.js';
import { BEST_RECIPE, startStudentTrainer } from '@bbdistill/student-trainer';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resultOf, temporaryStores } from '../helpers/embedded.js';
import type { TemporaryStores } from '../helpers/embedded.js';
import { addonInstructionSets } from '../helpers/kernel-families.js';
import { storeLabelled, tinyImages } from '../helpers/tiny-images.js';
import { waitFor } from '../helpers/wait-for.js';

const SERVICE = 'bbdistill.v1.StudentTrainerService';
let temporary: TemporaryStores;
let stores: Stores;
let running: Awaited<ReturnType<typeof startStudentTrainer>>;
let client: ServiceClient<typeof SERVICE>;
let data: Awaited<ReturnType<typeof storeLabelled>>;

const start = (checkpointIntervalMs?: number) =>
  startStudentTrainer({
    stores,
    address: '127.0.0.1:0',
    logger: silentLogger,
    engine: 'wasm',
    ...(checkpointIntervalMs !== undefined && { checkpointIntervalMs }),
  });

beforeAll(async () => {
  temporary = await temporaryStores();
  stores = temporary.stores;
  running = await start();
  client = connect(SERVICE, running.address);
  data = await storeLabelled(stores.blobs, tinyImages(96), { perShard: 40, unanswered: [5] });
});

afterAll(async () => {
  client.close();
  await running.stop();
  await temporary[Symbol.asyncDispose]();
});

const recipe = { ...BEST_RECIPE.training, epochs: 6, batch: 16 };
const train = (change: TrainRequest = {}): TrainRequest => ({
  network: 'lenet5-half',
  classes: 3,
  data,
  recipe,
  seed: 1,
  engine: 'auto',
  ...change,
});

async function trained(request: TrainRequest): Promise<TrainResult__Output> {
  const { id } = await client.unary('SubmitTrain', request);
  return resultOf(client.serverStream('WatchJob', { id }));
}

describe('student-trainer - jobs over gRPC', () => {
  it('trains, evaluates on unseen images and exports', async () => {
    const student = await trained(train());
    expect(student).toMatchObject({ steps: 30, engine: expect.stringMatching(/wasm/i) as string });
    expect(student.history).toHaveLength(6);

    const test = tinyImages(50, 3, 2);
    const shards = await storeLabelled(stores.blobs, test, { perShard: 30, unanswered: [7] });
    const evaluateJob = await client.unary('SubmitEvaluate', {
      weights: student.weights,
      images: shards.map(({ images }) => images),
      labels: await stores.blobs.put(encodeLabels(test.labels)),
      answers: shards.map(({ answers }) => answers),
      engine: 'auto',
    });
    const evaluation = await resultOf<EvaluateResult__Output>(client.serverStream('WatchJob', { id: evaluateJob.id }));
    expect(evaluation.accuracy).toBeGreaterThan(0.9);
    expect(evaluation).toMatchObject({ images: 50, teacherImages: 49, teacherAccuracy: 1 });
    const tensor = async (name: 'confusion' | 'probabilities') =>
      decodeTensors(await stores.blobs.get(evaluation[name]!.sha256)).tensors[name]!;
    const confusion = await tensor('confusion');
    expect(confusion.shape).toEqual([3, 3]);
    expect(Array.from(confusion.data).reduce((sum, count) => sum + count, 0)).toBe(50);
    expect((await tensor('probabilities')).shape).toEqual([50, 3]);

    const exportJob = await client.unary('SubmitExport', { weights: student.weights, data, name: 'tiny' });
    const { files } = await resultOf<ExportResult__Output>(client.serverStream('WatchJob', { id: exportJob.id }));
    expect(files.map(({ path }) => path)).toContain('student/model.onnx');
    const labels = files.find(({ path }) => path === 'student/soft-labels.jsonl');
    const text = new TextDecoder().decode(await stores.blobs.get(labels!.blob!.sha256));
    expect(text.trimEnd().split('\n')).toHaveLength(95);
  });

  it.skipIf(addonInstructionSets().length === 0)('trains on the native kernels where they are built', async () => {
    const [native, wasm] = [await trained(train({ engine: 'native', seed: 4 })), await trained(train({ seed: 4 }))];
    expect(native.engine).toMatch(/native/);
    expect(native.history.at(-1)!.loss).toBeCloseTo(wasm.history.at(-1)!.loss, 3);
  });

  it('takes fewer images than a batch', async () => {
    const few = await storeLabelled(stores.blobs, tinyImages(3));
    expect((await trained(train({ data: few }))).steps).toBe(6);
  });

  it('gives a history that a message can hold, however many epochs there were', async () => {
    const few = await storeLabelled(stores.blobs, tinyImages(2));
    const student = await trained(train({ data: few, recipe: { ...recipe, epochs: 2500 } }));
    expect(student.steps).toBe(2500);
    expect(student.history).toHaveLength(2000);
    expect([student.history[0]!.epoch, student.history.at(-1)!.epoch]).toEqual([1, 2500]);
  });

  it('names engine and networks with their parameters', async () => {
    const { networks, engine } = await client.unary('Describe', {});
    expect(engine).toMatch(/wasm/i);
    expect(networks.map(({ name }) => name)).toEqual([
      'lenet5',
      'lenet5-half',
      'alexnet',
      'alexnet-half',
      'resnet20',
      'resnet32',
    ]);
    // conv 5·5·1·3+3, conv 5·5·3·8+8, dense 288·120+120, 120·84+84, 84·10+10.
    expect(networks[1]!.parameters).toBe(78 + 608 + 34_680 + 10_164 + 850);
  });
});

describe('student-trainer - stop and go', () => {
  it('a trainer that is stopped goes on at its checkpoint and ends with the same weights', async () => {
    const request = train({ recipe: { ...recipe, epochs: 400 }, seed: 11 });
    const whole = await trained(train({ recipe: { ...recipe, epochs: 400 }, seed: 11, engine: 'wasm' }));
    client.close();
    await running.stop();

    running = await start(0);
    client = connect(SERVICE, running.address);
    const { id } = await client.unary('SubmitTrain', request);
    await waitFor('a checkpoint', () => stores.state.get(`checkpoints/${id}`));
    client.close();
    await running.stop();
    const checkpoint = await stores.state.get(`checkpoints/${id}`);
    expect(checkpoint).toBeDefined();

    running = await start();
    client = connect(SERVICE, running.address);
    const resumed = await resultOf<TrainResult__Output>(client.serverStream('WatchJob', { id }));
    expect(resumed.weights).toEqual(whole.weights);
    expect(resumed.history).toEqual(whole.history);
    expect(await stores.state.get(`checkpoints/${id}`)).toBeUndefined();
  });

  it('stops when asked to, and goes on answering meanwhile', async () => {
    const { id } = await client.unary('SubmitTrain', train({ recipe: { ...recipe, epochs: 100_000 } }));
    for await (const job of client.serverStream('WatchJob', { id })) {
      if ((job.progress?.done ?? 0) > 0) break;
    }
    expect((await client.unary('Describe', {})).jobsRunning).toBe(1);
    await client.unary('CancelJob', { id });
    const states: string[] = [];
    for await (const job of client.serverStream('WatchJob', { id })) states.push(job.state);
    expect(states.at(-1)).toBe('JOB_STATE_CANCELLED');
  });
});

describe('student-trainer - refusals', () => {
  const withRecipe = (change: object) => client.unary('SubmitTrain', train({ recipe: { ...recipe, ...change } }));
  const withPart = (change: object) => {
    const part = { firstStep: 0, endStep: 5, totalSteps: 10, scheduleFrom: 0, scheduleTo: 0.4, ...change };
    return client.unary('SubmitTrain', train({ part }));
  };
  const blob = { sha256: 'b'.repeat(64), sizeBytes: 1 };
  it.each([
    ['no data', () => client.unary('SubmitTrain', train({ data: [] })), /data is empty/],
    ['an unknown network', () => client.unary('SubmitTrain', train({ network: 'lenet6' })), /lenet6/],
    ['one class only', () => client.unary('SubmitTrain', train({ classes: 1 })), /2 or more classes, not 1/],
    ['no recipe', () => client.unary('SubmitTrain', train({ recipe: null })), /recipe is missing/],
    ['no epochs', () => withRecipe({ epochs: 0 }), /epochs is 0/],
    ['no batch', () => withRecipe({ batch: 0 }), /batch is 0/],
    ['an unknown schedule', () => withRecipe({ schedule: 'warm' }), /schedule is "warm"/],
    ['a rate of 0', () => withRecipe({ learningRate: 0 }), /learning_rate is 0/],
    ['a negative MixUp', () => withRecipe({ batchMixupAlpha: -1 }), /batch_mixup_alpha is -1/],
    ['a rotation too far', () => withRecipe({ rotationDegrees: 181 }), /rotation_degrees is 181/],
    ['a shift too far', () => withRecipe({ shift: 2 }), /shift is 2/],
    ['a balance above 1', () => withRecipe({ balance: 1.5 }), /balance is 1\.5/],
    ['a temperature of 0', () => withRecipe({ temperature: 0 }), /temperature is 0/],
    ['a negative decay', () => withRecipe({ weightDecay: -1 }), /weight_decay is -1/],
    ['an average that never moves', () => withRecipe({ emaDecay: 1 }), /ema_decay is 1/],
    ['a part that ends before it begins', () => withPart({ firstStep: 5, endStep: 5 }), /part is steps 5 to 5 of 10/],
    ['a part that begins with nothing', () => withPart({ firstStep: 1 }), /begins at step 1: give the checkpoint/],
    ['a part with more new images than images', () => withPart({ newestImages: 5000 }), /newest_images is 5000/],
    ['a part that never draws its new images', () => withPart({ newestImages: 1 }), /newest_draws is 0/],
    ['a part that goes back in the schedule', () => withPart({ scheduleFrom: 0.5 }), /schedule from 0\.5 to 0\.4/],
    [
      'threads that leave batch norm too few images',
      () => client.unary('SubmitTrain', train({ network: 'resnet20', threads: 5, recipe: { ...recipe, batch: 32 } })),
      /threads is 5 and recipe\.batch is 32, .* set threads to 4 or fewer/,
    ],
    ['an unknown engine', () => client.unary('SubmitTrain', train({ engine: 'abacus' })), /engine is "abacus"/],
    ['an evaluation of nothing', () => client.unary('SubmitEvaluate', { weights: blob }), /images is empty/],
    [
      'an evaluation without weights',
      () => client.unary('SubmitEvaluate', { images: data.map(({ images }) => images) }),
      /weights is missing/,
    ],
    [
      'answers for some shards only',
      () =>
        client.unary('SubmitEvaluate', {
          weights: blob,
          images: data.map(({ images }) => images),
          answers: [data[0]!.answers],
        }),
      /1 shards of answers for 3 shards/,
    ],
    ['an export without a name', () => client.unary('SubmitExport', { weights: blob }), /name is ""/],
  ])('of %s', async (_name, call, message) => {
    await expect(call()).rejects.toMatchObject({
      kind: 'invalid-argument',
      message: expect.stringMatching(message) as string,
    });
  });

  it('of a loss that is not a number, with the step', async () => {
    const images = tinyImages(32);
    images.targets.fill(Number.NaN, 0, 3);
    const poisoned = await storeLabelled(stores.blobs, images);
    await expect(trained(train({ data: poisoned }))).rejects.toThrow(/NAN_LOSS .* step \d+/);
  });

  it('of class names that are too few', async () => {
    const { weights } = await trained(train());
    const { id } = await client.unary('SubmitExport', { weights, name: 'tiny', classNames: ['one'] });
    await expect(resultOf(client.serverStream('WatchJob', { id }))).rejects.toThrow(/1 class names.* 3 classes/);
  });
});
