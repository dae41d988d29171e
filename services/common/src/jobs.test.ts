import { getEventListeners } from 'node:events';
import { describe, expect, it } from 'vitest';
import { embeddedFixture } from '../../../test/contract/embedded-fixture.js';
import { waitFor } from '../../../test/helpers/wait-for.js';
import { ManualClock, systemClock } from './clock.js';
import { BbdError, UnavailableError } from './errors.js';
import { JobClient, MAX_JOB_ATTEMPTS, jobId, lastUseMs, runJobWorker } from './jobs.js';
import type { JobHandler, JobRecord, JobWorkerOptions } from './jobs.js';
import { decodeJson, encodeJson } from './json.js';
import { WATCH_AGAIN_MS } from './keep-watching.js';
import type { StateStore } from './stores/state-store.js';
import type { Stores } from './stores/stores.js';
import { DEFAULT_ACK_WAIT_MS } from './stores/work-queue.js';

const never = new AbortController().signal;

interface RunningWorker extends AsyncDisposable {
  stop(): Promise<void>;
  readonly errors: BbdError[];
}

function startWorker(
  stores: JobWorkerOptions['stores'],
  handlers: Record<string, JobHandler<never, unknown>>,
  concurrency = 2,
): RunningWorker {
  const stopping = new AbortController();
  const errors: BbdError[] = [];
  const running = runJobWorker({
    stores,
    clock: systemClock,
    handlers,
    concurrency,
    signal: stopping.signal,
    onError: (error) => errors.push(error),
  });
  const stop = async () => {
    stopping.abort();
    await running;
  };
  return { stop, errors, [Symbol.asyncDispose]: stop };
}

const untilAborted = (signal: AbortSignal) =>
  new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => reject(new BbdError('cancelled', 'stopped')), { once: true });
  });

/** What `AbortSignal.any` has left on a signal. */
function dependantsOf(signal: AbortSignal): number {
  const key = Object.getOwnPropertySymbols(signal).find((each) => each.description === 'kDependantSignals');
  return key ? ((signal as unknown as Record<symbol, Set<unknown>>)[key]?.size ?? 0) : 0;
}

/** Leaves the record as a worker leaves it that was killed in the middle. */
async function leaveAsKilled(state: StateStore, id: string, change: Partial<JobRecord>): Promise<void> {
  const entry = (await state.get(`jobs/${id}`))!;
  const record = decodeJson<JobRecord>(entry.value);
  await state.update(`jobs/${id}`, encodeJson({ ...record, state: 'running', ...change }), entry.revision);
}

/** A store some of whose ways are a test's own. */
function stateWith(state: StateStore, own: Partial<StateStore>): StateStore {
  return {
    get: (key) => state.get(key),
    create: (key, value) => state.create(key, value),
    update: (key, value, revision) => state.update(key, value, revision),
    delete: (key, revision) => state.delete(key, revision),
    list: (prefix) => state.list(prefix),
    watch: (prefix, signal) => state.watch(prefix, signal),
    watchKey: (key, signal) => state.watchKey(key, signal),
    close: () => state.close(),
    ...own,
  };
}

describe('jobs', () => {
  it('jobs - a submitted job is worked on and its result waits for whoever asks', async () => {
    await using fixture = await embeddedFixture();
    const client = new JobClient(fixture.stores, systemClock);
    const submitted = await client.submit('add', { a: 2, b: 3 });
    expect(submitted).toMatchObject({ id: jobId('add', { b: 3, a: 2 }), state: 'queued', attempts: 0 });
    await using _worker = startWorker(fixture.stores, { add: async ({ a, b }: { a: number; b: number }) => a + b });
    expect(await client.result(submitted.id, never)).toBe(5);
    const record = await client.get(submitted.id);
    expect(record).toMatchObject({ state: 'succeeded', attempts: 1, result: 5 });
    expect(record.endedAtMs).toBeGreaterThanOrEqual(record.startedAtMs!);
    expect(record).not.toHaveProperty('heldBy');
    await waitFor('the queue to be empty', async () => (await fixture.stores.queue.waiting('add')) === 0);
  });

  it('jobs - equal requests are one job, done once, whatever the order of their keys', async () => {
    await using fixture = await embeddedFixture();
    const client = new JobClient(fixture.stores, systemClock);
    let runs = 0;
    const ids = await Promise.all(
      Array.from(
        { length: 10 },
        async (_, i) => (await client.submit('count', i % 2 ? { a: 1, b: 2 } : { b: 2, a: 1 })).id,
      ),
    );
    expect(new Set(ids).size).toBe(1);
    await using worker = startWorker(fixture.stores, { count: async () => ++runs }, 4);
    expect(await client.result(ids[0]!, never)).toBe(1);
    expect(await client.submit('count', { a: 1, b: 2 })).toMatchObject({ state: 'succeeded', result: 1 });
    await worker.stop();
    expect(runs).toBe(1);
  });

  it('jobs - waiting for many results leaves nothing on the signal of whoever waits', async () => {
    await using fixture = await embeddedFixture();
    const client = new JobClient(fixture.stores, systemClock);
    await using _worker = startWorker(fixture.stores, { work: async ({ n }: { n: number }) => n });
    const { signal } = new AbortController();
    for (let n = 0; n < 20; n++) {
      const job = await client.submit('work', { n });
      expect(await client.result(job, signal)).toBe(n);
    }
    await waitFor('the last look to end', () => getEventListeners(signal, 'abort').length === 0);
    expect(dependantsOf(signal)).toBe(0);
  });

  it('jobs - a result that is asked for long after is of use again: whoever would delete it comes too late', async () => {
    await using fixture = await embeddedFixture();
    const { state } = fixture.stores;
    const client = new JobClient(fixture.stores, systemClock);
    const { id } = await client.submit('work', {});
    await using _worker = startWorker(fixture.stores, { work: async () => 'done' });
    await client.result(id, never);
    const { revision } = (await state.get(`jobs/${id}`))!;
    await client.submit('work', {});
    expect((await state.get(`jobs/${id}`))!.revision).toBe(revision);
    const clock = new ManualClock(systemClock.nowMs() + 2 * 3_600_000);
    expect(await new JobClient(fixture.stores, clock).submit('work', {})).toMatchObject({ result: 'done' });
    await expect(state.delete(`jobs/${id}`, revision)).rejects.toThrow(/is at revision/);
    expect(lastUseMs(await client.get(id))).toBe(clock.nowMs());
  });

  it('jobs - a result that is deleted while it is asked for long after is made anew', async () => {
    await using fixture = await embeddedFixture();
    const { state, queue } = fixture.stores;
    const client = new JobClient(fixture.stores, systemClock);
    const { id } = await client.submit('work', {});
    await using _worker = startWorker(fixture.stores, { work: async () => 'done' });
    await client.result(id, never);
    const deletedFirst = stateWith(state, {
      update: async (key, value, revision) => {
        await state.delete(key, revision);
        return state.update(key, value, revision);
      },
    });
    const clock = new ManualClock(systemClock.nowMs() + 2 * 3_600_000);
    const late = new JobClient({ state: deletedFirst, queue }, clock);
    expect(await late.submit('work', {})).toMatchObject({ state: 'queued', attempts: 0 });
    expect(await client.result(id, never)).toBe('done');
  });

  it('jobs - watch shows every step and ends with the job', async () => {
    await using fixture = await embeddedFixture();
    const client = new JobClient(fixture.stores, systemClock);
    const { id } = await client.submit('work', {});
    const states: string[] = [];
    const watching = (async () => {
      for await (const record of client.watch(id, never)) states.push(record.state);
    })();
    await waitFor('the first state', () => states.length > 0);
    await using _worker = startWorker(fixture.stores, { work: async () => 'done' });
    await watching;
    expect(states[0]).toBe('queued');
    expect(states).toContain('running');
    expect(states.at(-1)).toBe('succeeded');
  });

  it('jobs - a job that nobody submitted is not found', async () => {
    await using fixture = await embeddedFixture();
    const client = new JobClient(fixture.stores, systemClock);
    await expect(client.get('nothing')).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' });
    await expect(client.cancel('nothing')).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' });
    await expect(client.result('nothing', never)).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' });
  });

  it('jobs - a failure keeps code, message and whether to retry, and submitting again tries again', async () => {
    await using fixture = await embeddedFixture();
    const client = new JobClient(fixture.stores, systemClock);
    let failing = true;
    await using _worker = startWorker(fixture.stores, {
      work: async () => {
        if (failing) throw new UnavailableError('the teacher is down', { code: 'TEACHER_UNREACHABLE' });
        return 'fine';
      },
    });
    const { id } = await client.submit('work', {});
    await expect(client.result(id, never)).rejects.toMatchObject({
      code: 'TEACHER_UNREACHABLE',
      message: 'the teacher is down',
      retryable: true,
    });
    failing = false;
    expect(await client.submit('work', {})).toMatchObject({ state: 'queued', attempts: 0 });
    expect(await client.result(id, never)).toBe('fine');
    expect(await client.get(id)).not.toHaveProperty('failure');
  });

  it('jobs - an exhausted budget comes back as its own kind', async () => {
    await using fixture = await embeddedFixture();
    const client = new JobClient(fixture.stores, systemClock);
    await using _worker = startWorker(fixture.stores, {
      work: async () => {
        throw new BbdError('budget-exhausted', 'spent', { code: 'BUDGET_EXHAUSTED' });
      },
    });
    const { id } = await client.submit('work', {});
    await expect(client.result(id, never)).rejects.toMatchObject({ kind: 'budget-exhausted' });
  });

  it('jobs - cancelling a queued job ends it before it begins', async () => {
    await using fixture = await embeddedFixture();
    const client = new JobClient(fixture.stores, systemClock);
    let began = false;
    const { id } = await client.submit('work', {});
    expect(await client.cancel(id)).toMatchObject({ state: 'cancelled' });
    await using _worker = startWorker(fixture.stores, { work: async () => (began = true) });
    await waitFor('the message to go', async () => (await fixture.stores.queue.waiting('work')) === 0);
    await expect(client.result(id, never)).rejects.toMatchObject({ kind: 'cancelled' });
    expect(began).toBe(false);
  });

  it('jobs - cancelling a running job aborts its handler', async () => {
    await using fixture = await embeddedFixture();
    const client = new JobClient(fixture.stores, systemClock);
    let began = false;
    await using _worker = startWorker(fixture.stores, {
      work: (_, { signal }) => {
        began = true;
        return untilAborted(signal);
      },
    });
    const { id } = await client.submit('work', {});
    await waitFor('the job to begin', () => began);
    await client.cancel(id);
    await expect(client.result(id, never)).rejects.toMatchObject({ kind: 'cancelled' });
    expect(await client.get(id)).toMatchObject({ state: 'cancelled', cancelRequested: true });
    expect(await client.cancel(id)).toMatchObject({ state: 'cancelled' });
  });

  it('jobs - a job submitted anew while its cancelled run still ends is worked on by the new one alone', async () => {
    await using fixture = await embeddedFixture();
    const client = new JobClient(fixture.stores, systemClock);
    let runs = 0;
    let letFirstEnd = (): void => undefined;
    await using _worker = startWorker(fixture.stores, {
      work: async () => {
        runs++;
        if (runs > 1) return 'second';
        await new Promise<void>((resolve) => (letFirstEnd = resolve));
        throw new BbdError('internal', 'the first one fails late');
      },
    });
    const { id } = await client.submit('work', {});
    await waitFor('the first run', () => runs === 1);
    await client.cancel(id);
    await client.submit('work', {});
    expect(await client.result(id, never)).toBe('second');
    letFirstEnd();
    await waitFor('the messages to go', async () => (await fixture.stores.queue.waiting('work')) === 0);
    expect(await client.get(id)).toMatchObject({ state: 'succeeded', result: 'second' });
  });

  it('jobs - a worker that shuts down gives its job back, and the next one does it', async () => {
    await using fixture = await embeddedFixture();
    const client = new JobClient(fixture.stores, systemClock);
    let began = false;
    const first = startWorker(fixture.stores, {
      work: (_, { signal }) => {
        began = true;
        return untilAborted(signal);
      },
    });
    const { id } = await client.submit('work', {});
    await waitFor('the job to begin', () => began);
    await first.stop();
    expect(await client.get(id)).toMatchObject({ state: 'queued', attempts: 0, cancelRequested: false });
    await using _worker = startWorker(fixture.stores, { work: async () => 'done' });
    expect(await client.result(id, never)).toBe('done');
    expect(first.errors).toEqual([]);
  });

  it('jobs - a job whose worker was killed is done after the next start without waiting for the old hold', async () => {
    await using fixture = await embeddedFixture();
    const { id } = await new JobClient(fixture.stores, systemClock).submit('work', {});
    await leaveAsKilled(fixture.stores.state, id, {
      attempts: 1,
      heldBy: `${fixture.stores.soleSession!}/dead`,
      heldUntilMs: systemClock.nowMs() + DEFAULT_ACK_WAIT_MS,
    });
    const stores = await fixture.reopen();
    await using _worker = startWorker(stores, { work: async (_, { attempt }) => attempt });
    expect(await new JobClient(stores, systemClock).result(id, never)).toBe(2);
  });

  it('jobs - where others share the stores, the hold of a silent worker is waited for', async () => {
    await using fixture = await embeddedFixture();
    const shared: Pick<Stores, 'state' | 'queue'> = { state: fixture.stores.state, queue: fixture.stores.queue };
    const client = new JobClient(shared, systemClock);
    const { id } = await client.submit('work', {});
    const heldUntilMs = systemClock.nowMs() + 300;
    await leaveAsKilled(shared.state, id, { attempts: 1, heldBy: '/other', heldUntilMs });
    await using _worker = startWorker(shared, { work: async () => systemClock.nowMs() });
    expect(await client.result(id, never)).toBeGreaterThanOrEqual(heldUntilMs);
  });

  it('jobs - a frozen worker that lost its hold changes nothing and is told to stop', async () => {
    await using fixture = await embeddedFixture();
    const client = new JobClient(fixture.stores, systemClock);
    let told = false;
    let began = false;
    await using worker = startWorker(fixture.stores, {
      work: async (_, { signal }) => {
        began = true;
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        told = true;
        return 'from the frozen one';
      },
    });
    const { id } = await client.submit('work', {});
    await waitFor('the job to begin', () => began);
    await leaveAsKilled(fixture.stores.state, id, { heldBy: 'other/1', attempts: 2 });
    await waitFor('the frozen one to hear of it', () => told);
    await worker.stop();
    expect(await client.get(id)).toMatchObject({ state: 'running', heldBy: 'other/1', attempts: 2 });
    expect(await client.get(id)).not.toHaveProperty('result');
  });

  it('jobs - a worker that lost its hold leaves the message: the job comes back when the other one dies', async () => {
    await using fixture = await embeddedFixture({ ackWaitMs: 300 });
    const shared: Pick<Stores, 'state' | 'queue'> = { state: fixture.stores.state, queue: fixture.stores.queue };
    const client = new JobClient(shared, systemClock);
    let runs = 0;
    await using _worker = startWorker(shared, {
      work: async (_, { signal }) => {
        if (++runs > 1) return 'done';
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        return 'from the one that lost its hold';
      },
    });
    const { id } = await client.submit('work', {});
    await waitFor('the job to begin', () => runs === 1);
    await leaveAsKilled(shared.state, id, { heldBy: 'other/1', heldUntilMs: systemClock.nowMs() + 300 });
    expect(await client.result(id, never)).toBe('done');
    expect(runs).toBe(2);
  });

  it('jobs - one whose worker died and whose message is lost is queued anew by whoever waits for it', async () => {
    await using fixture = await embeddedFixture({ ackWaitMs: 100 });
    const { state, queue } = fixture.stores;
    const client = new JobClient({ state, queue }, systemClock);
    const { id } = await client.submit('work', {});
    const lost = new AbortController();
    for await (const delivery of queue.consume({ kinds: ['work'], concurrency: 1, signal: lost.signal })) {
      await delivery.ack();
      lost.abort();
    }
    await leaveAsKilled(state, id, { attempts: 1, heldBy: '/dead', heldUntilMs: systemClock.nowMs() });
    await using _worker = startWorker({ state, queue }, { work: async () => 'done' });
    expect(await client.result(id, never)).toBe('done');
  });

  it('jobs - one whose worker died is queued anew once while no worker is up, and again where that message is lost', async () => {
    await using fixture = await embeddedFixture();
    const { state, queue } = fixture.stores;
    const clock = new ManualClock(systemClock.nowMs());
    const client = new JobClient({ state, queue }, clock);
    const { id } = await client.submit('work', {});
    await leaveAsKilled(state, id, { attempts: 1, heldBy: '/dead', heldUntilMs: clock.nowMs() });
    const stop = new AbortController();
    const waiting = client.result(id, stop.signal);
    const wait = async (times: number) => {
      for (let i = 0; i < times; i++) {
        await waitFor('the next look', () => clock.sleeping === 1);
        await clock.advance(3 * queue.ackWaitMs);
      }
      await waitFor('the last look to end', () => clock.sleeping === 1);
    };
    await wait(10);
    expect(await queue.unacknowledged('work')).toBe(2);
    const lost = new AbortController();
    for await (const delivery of queue.consume({ kinds: ['work'], concurrency: 1, signal: lost.signal })) {
      await delivery.ack();
      if ((await queue.unacknowledged('work')) === 0) lost.abort();
    }
    await wait(3);
    expect(await queue.unacknowledged('work')).toBe(1);
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ kind: 'cancelled' });
  });

  it('jobs - killed over and over, but further each time, is no poison', async () => {
    await using fixture = await embeddedFixture();
    const client = new JobClient(fixture.stores, systemClock);
    const { id } = await client.submit('work', {});
    const progress = { unit: 'images', done: 7, total: 9 };
    await leaveAsKilled(fixture.stores.state, id, {
      attempts: 20,
      vainAttempts: MAX_JOB_ATTEMPTS,
      furthest: 6,
      progress,
    });
    await using _worker = startWorker(fixture.stores, { work: async () => 'done' });
    expect(await client.result(id, never)).toBe('done');
    expect(await client.get(id)).toMatchObject({ vainAttempts: 1, furthest: 7 });
  });

  it('jobs - one that kills its workers is given up as poison', async () => {
    await using fixture = await embeddedFixture();
    const client = new JobClient(fixture.stores, systemClock);
    const { id } = await client.submit('work', {});
    let runs = 0;
    await leaveAsKilled(fixture.stores.state, id, { attempts: MAX_JOB_ATTEMPTS });
    await using _worker = startWorker(fixture.stores, { work: async () => ++runs });
    await expect(client.result(id, never)).rejects.toMatchObject({ code: 'JOB_POISONED', retryable: false });
    expect(runs).toBe(0);
  });

  it('jobs - progress is shown while working and its last word is kept', async () => {
    await using fixture = await embeddedFixture();
    const client = new JobClient(fixture.stores, systemClock);
    let goOn = (): void => undefined;
    const gate = new Promise<void>((resolve) => (goOn = resolve));
    await using _worker = startWorker(fixture.stores, {
      work: async (_, { progress }) => {
        progress({ unit: 'images', done: 1, total: 1000 });
        await gate;
        for (let done = 2; done <= 1000; done++) progress({ unit: 'images', done, total: 1000, loss: 0.5 });
        return 'done';
      },
    });
    const { id } = await client.submit('work', {});
    const seen: number[] = [];
    await client.result(id, never, ({ progress }) => {
      if (progress) seen.push(progress.done);
      if (progress?.done === 1) goOn();
    });
    expect(seen[0]).toBe(1);
    expect(seen.at(-1)).toBe(1000);
    // At most two writes a second: a thousand reports are not a thousand writes.
    expect(new Set(seen).size).toBeLessThan(10);
    expect((await client.get(id)).progress).toEqual({ unit: 'images', done: 1000, total: 1000, loss: 0.5 });
  });

  it('jobs - waiting can be given up without touching the job', async () => {
    await using fixture = await embeddedFixture();
    const client = new JobClient(fixture.stores, systemClock);
    const { id } = await client.submit('work', {});
    const stop = new AbortController();
    const waiting = client.result(id, stop.signal);
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ kind: 'cancelled' });
    expect(await client.get(id)).toMatchObject({ state: 'queued', cancelRequested: false });
  });

  it('jobs - a message whose record is gone is dropped', async () => {
    await using fixture = await embeddedFixture();
    await fixture.stores.queue.publish({ kind: 'work', id: 'forgotten' });
    await using worker = startWorker(fixture.stores, { work: async () => 'never' });
    await waitFor('the message to go', async () => (await fixture.stores.queue.waiting('work')) === 0);
    await worker.stop();
    expect(worker.errors).toEqual([]);
    expect(await (await fixture.reopen()).queue.waiting('work')).toBe(0);
  });

  it('jobs - a store that fails is reported and leaves the job to a later delivery', async () => {
    await using fixture = await embeddedFixture({ ackWaitMs: 100 });
    const client = new JobClient(fixture.stores, systemClock);
    const { id } = await client.submit('work', {});
    let failures = 0;
    const { state } = fixture.stores;
    const flaky = stateWith(state, {
      get: (key) => (failures++ === 0 ? Promise.reject(new UnavailableError('the store is away')) : state.get(key)),
    });
    await using worker = startWorker({ state: flaky, queue: fixture.stores.queue }, { work: async () => 'done' });
    expect(await client.result(id, never)).toBe('done');
    expect(worker.errors).toEqual([expect.objectContaining({ kind: 'unavailable' })]);
  });

  it.each<[string, (client: JobClient, state: StateStore, id: string) => Promise<unknown>]>([
    ['cancelled', (client, _, id) => client.cancel(id)],
    ["somebody else's", (_, state, id) => leaveAsKilled(state, id, { heldBy: 'other/1' })],
    [
      'deleted',
      async (_, state, id) => {
        const entry = (await state.get(`jobs/${id}`))!;
        await state.delete(entry.key, entry.revision);
      },
    ],
  ])(
    'jobs - one that becomes %s while its watch is broken off is told to stop when it works again',
    async (_, change) => {
      await using fixture = await embeddedFixture();
      const { state, queue } = fixture.stores;
      const clock = new ManualClock(systemClock.nowMs());
      const client = new JobClient({ state, queue }, clock);
      let watches = 0;
      const watchKey: StateStore['watchKey'] = async function* (key, signal) {
        if (++watches === 1) throw new UnavailableError('the store is away');
        yield* state.watchKey(key, signal);
      };
      const stopping = new AbortController();
      const errors: BbdError[] = [];
      let began = false;
      let told = false;
      const running = runJobWorker({
        stores: { state: stateWith(state, { watchKey }), queue },
        clock,
        handlers: {
          work: (_, { signal }) => {
            began = true;
            signal.addEventListener('abort', () => (told = true));
            return untilAborted(signal);
          },
        },
        concurrency: 1,
        signal: stopping.signal,
        onError: (error) => errors.push(error),
      });
      const { id } = await client.submit('work', {});
      await waitFor('the watch to break off', () => began && errors.length > 0);
      expect(errors).toEqual([expect.objectContaining({ message: 'the store is away' })]);
      await change(client, state, id);
      await clock.advance(WATCH_AGAIN_MS);
      await waitFor('the handler to be told', () => told);
      stopping.abort();
      await running;
    },
  );

  it('jobs - the hold is extended while the handler works', async () => {
    await using fixture = await embeddedFixture();
    const clock = new ManualClock(systemClock.nowMs());
    const client = new JobClient(fixture.stores, clock);
    const stopping = new AbortController();
    let began = false;
    const running = runJobWorker({
      stores: fixture.stores,
      clock,
      handlers: {
        work: (_, { signal }) => {
          began = true;
          return untilAborted(signal);
        },
      },
      concurrency: 1,
      signal: stopping.signal,
      onError: (error) => {
        throw error;
      },
    });
    const { id } = await client.submit('work', {});
    await waitFor('the job to begin', () => began && clock.sleeping > 0);
    const before = (await client.get(id)).heldUntilMs!;
    await clock.advance(DEFAULT_ACK_WAIT_MS / 2);
    await waitFor('a longer hold', async () => ((await client.get(id)).heldUntilMs ?? 0) > before);
    stopping.abort();
    await running;
  });
});
