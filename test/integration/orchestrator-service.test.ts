import { describe, expect, it } from 'vitest';
import { UnavailableError, WATCH_AGAIN_MS, connect, silentLogger, systemClock } from '@bbdistill/common';
import type { CallOptions, Clock, ServiceClient, ServiceHandlers, StateStore, Stores } from '@bbdistill/common';
import { startOrchestrator } from '@bbdistill/orchestrator';
import { uploadImages } from '@bbdistill/client';
import type { Budget } from '@bbdistill/common/gen/bbdistill/v1/Budget.js';
import type { RunSpec } from '@bbdistill/common/gen/bbdistill/v1/RunSpec.js';
import { RunStore } from '../../services/orchestrator/src/run-record.js';
import { aSpec } from '../../services/orchestrator/src/testing/specs.js';
import { temporaryStores } from '../helpers/embedded.js';
import { serve } from '../helpers/grpc.js';
import { tinyImages } from '../helpers/tiny-images.js';
import { waitFor } from '../helpers/wait-for.js';

const TEACHER = 'bbdistill.v1.TeacherService';
const IMAGES = 4;
const CLASSES = 2;

interface Running extends AsyncDisposable {
  /** Resolves when all handlers have ended. */
  stop(): Promise<void>;
  readonly stores: Stores;
  readonly client: ServiceClient<'bbdistill.v1.DistillationService'>;
  /** Of a run that waits for its first answers: nobody works on its jobs. */
  readonly spec: RunSpec;
}

interface Surroundings {
  teacher?: Partial<ServiceHandlers<typeof TEACHER>>;
  state?: (state: StateStore) => Partial<StateStore>;
  clock?: Clock;
}

/** A real orchestrator over embedded stores, beside a teacher service of the test's own. */
async function start({ teacher = {}, state: own, clock = systemClock }: Surroundings = {}): Promise<Running> {
  const fixture = await temporaryStores();
  const { stores } = fixture;
  const teacherService = await serve(TEACHER, {
    CountCached: async () => ({ distinct: IMAGES, cached: 0 }),
    ...teacher,
  });
  const orchestrator = await startOrchestrator({
    stores: own ? { ...stores, state: withOwn(stores.state, own(stores.state)) } : stores,
    teacherProxyAddress: teacherService.server.address,
    address: '127.0.0.1:0',
    logger: silentLogger,
    clock,
  });
  const client = connect('bbdistill.v1.DistillationService', orchestrator.address);
  const images = await uploadImages(client, { images: tinyImages(IMAGES, CLASSES) });
  const base = aSpec({ images: images.id, test: '', classes: CLASSES, engine: 'wasm' });
  let stopping: Promise<void> | undefined;
  const stop = () => (stopping ??= orchestrator.stop());
  return {
    stop,
    stores,
    client,
    spec: {
      ...base,
      synthesis: { ...base.synthesis, images: 0 },
      student: { ...base.student, recipe: { ...base.student.recipe, batch: 2 } },
    },
    async [Symbol.asyncDispose]() {
      client.close();
      await stop();
      await teacherService[Symbol.asyncDispose]();
      await fixture[Symbol.asyncDispose]();
    },
  };
}

function withOwn<T extends object>(whole: T, own: Partial<T>): T {
  return new Proxy(whole, {
    get(target, key) {
      const found: unknown = Reflect.get(own, key) ?? Reflect.get(target, key);
      return typeof found === 'function' ? (found.bind(target) as unknown) : found;
    },
  });
}

/** The system's, on which the pause before a watch that broke off is opened anew takes no time. */
const impatientClock: Clock = {
  ...systemClock,
  sleep: (durationMs, signal) => systemClock.sleep(durationMs === WATCH_AGAIN_MS ? 0 : durationMs, signal),
};

describe('the orchestrator', () => {
  it.each<[string, (stop: AbortController) => CallOptions, string]>([
    ['whose deadline is over', () => ({ timeoutMs: 500 }), 'deadline-exceeded'],
    ['that has given up', ({ signal }) => ({ signal }), 'cancelled'],
  ])('create - makes nothing for a caller %s', async (_, options, kind) => {
    let isAsked = false;
    let goOn = (): void => undefined;
    const gate = new Promise<void>((resolve) => (goOn = resolve));
    await using running = await start({
      teacher: {
        async CountCached() {
          isAsked = true;
          await gate;
          return { distinct: IMAGES, cached: 0 };
        },
      },
    });
    const { client, spec, stores } = running;
    const stop = new AbortController();
    const created = client.unary('CreateRun', { requestId: 'late', spec }, options(stop));
    const failure = created.catch((error: unknown) => error);
    await waitFor('the handler to ask the teacher', () => isAsked);
    stop.abort();
    expect(await failure).toMatchObject({ kind });
    goOn();
    await running.stop();
    const made: string[] = [];
    for await (const { key } of stores.state.list('')) made.push(key.split('/')[0]!);
    expect(made).toEqual(['datasets']);
  });

  it('upload - images that no message can carry are refused in words that say what to do', async () => {
    await using running = await start();
    const shape = { height: 1400, width: 1400, channels: 3 };
    const images = { count: 2, shape, pixels: new Uint8Array(2 * 1400 * 1400 * 3) };
    await expect(uploadImages(running.client, { images })).rejects.toMatchObject({
      kind: 'invalid-argument',
      code: 'IMAGE_TOO_LARGE',
      message: expect.stringMatching(/1400x1400x3 has 5880000 bytes .* resize the images/) as unknown,
    });
  });

  it('test labels that the student can not give are refused before anything is asked', async () => {
    await using running = await start();
    const { labels, ...images } = tinyImages(6, CLASSES + 1);
    const test = await uploadImages(running.client, { images, labels });
    const spec = { ...running.spec, test: test.id };
    await expect(running.client.unary('CreateRun', { requestId: 'labels', spec })).rejects.toMatchObject({
      kind: 'invalid-argument',
      code: 'LABEL_OUT_OF_RANGE',
      message: expect.stringMatching(/test image 2 has label 2 and classes is 2/) as unknown,
    });
  });

  it('cancel - is heard of by a driver whose watch of the run broke off in the middle', async () => {
    let watches = 0;
    let away = true;
    await using running = await start({
      clock: impatientClock,
      state: (state) => ({
        async *watchKey(key, signal) {
          if (key.startsWith('runs/')) {
            watches++;
            if (away) throw new UnavailableError('the store is away');
          }
          yield* state.watchKey(key, signal);
        },
      }),
    });
    const { client, spec } = running;
    const { id } = await client.unary('CreateRun', { requestId: 'cancel', spec });
    await waitFor('the run to wait for answers', async () => {
      const { stages } = await client.unary('GetRun', { runId: id });
      return watches > 0 && stages.some(({ name }) => name === 'label-seeds');
    });
    await client.unary('CancelRun', { runId: id });
    expect((await client.unary('GetRun', { runId: id })).state).toBe('RUN_STATE_RUNNING');
    away = false;
    await waitFor('the end of the run', async () => {
      return (await client.unary('GetRun', { runId: id })).state === 'RUN_STATE_CANCELLED';
    });
  });

  describe('resume - of a run under way', () => {
    const underWay = { kind: 'failed-precondition', code: 'RUN_UNDER_WAY' };

    async function aRun() {
      const running = await start();
      const { client, spec } = running;
      const budget = { images: 100, moneyMicros: 5_000_000 };
      const { id: runId } = await client.unary('CreateRun', { requestId: 'resume', spec: { ...spec, budget } });
      return { running, client, runId, budget };
    }

    it('as it is - is no error and changes nothing', async () => {
      const { running, client, runId, budget } = await aRun();
      await using _running = running;
      for (const request of [{ runId }, { runId, budget }, { runId, budget: { images: 100 } }]) {
        expect((await client.unary('ResumeRun', request)).spec?.budget).toMatchObject(budget);
      }
    });

    it.each<[string, { budget?: Budget; reask?: boolean }, RegExp]>([
      ['another budget of images', { budget: { images: 200 } }, /images 100, .* not images 200, .* then resume it/],
      ['another budget of money', { budget: { moneyMicros: 1 } }, /money_micros 5000000, not .* money_micros 1:/],
      ['a new reask', { reask: true }, /reask/],
    ])('with %s - is refused instead of being forgotten', async (_, wanted, says) => {
      const { running, client, runId } = await aRun();
      await using _running = running;
      const resumed = client.unary('ResumeRun', { runId, ...wanted });
      await expect(resumed).rejects.toMatchObject({ ...underWay, message: expect.stringMatching(says) as unknown });
    });

    it('that is being cancelled - is refused until it is over, then goes on with what was asked', async () => {
      const { running, client, runId } = await aRun();
      await using _running = running;
      const runs = new RunStore(running.stores.state, running.stores.events);
      // As CancelRun leaves it while the driver, frozen, doesn't see the wish.
      await runs.change(runId, (found) => ({ ...found, lease: { holder: 'frozen', epoch: 9, expiresAtMs: 1e15 } }));
      await client.unary('CancelRun', { runId });
      const resume = { runId, budget: { images: 200 }, reask: true };
      await expect(client.unary('ResumeRun', { runId })).rejects.toMatchObject({
        ...underWay,
        message: expect.stringContaining('is being cancelled') as unknown,
      });

      await runs.change(runId, (found) => ({ ...found, state: 'cancelled' }));
      expect(await client.unary('ResumeRun', resume)).toMatchObject({ spec: { budget: { images: 200 } } });
      // As a client does whose first answer was lost.
      expect((await client.unary('ResumeRun', resume)).spec?.budget).toMatchObject({ images: 200 });
    });
  });
});
