import { describe, expect, it, vi } from 'vitest';
import {
  JobClient,
  ManualClock,
  UnavailableError,
  decodeJson,
  encodeJson,
  runJobWorker,
  systemClock,
} from '@bbdistill/common';
import type { JobContext, Stores } from '@bbdistill/common';
import { interruptOrphanedRuns } from '@bbdistill/orchestrator';
import { FencedError, RunStore } from '../../services/orchestrator/src/run-record.js';
import type { RunEventBody, RunRecord } from '../../services/orchestrator/src/run-record.js';
import { StageJobs } from '../../services/orchestrator/src/run.js';
import { demandOf } from '../../services/orchestrator/src/scaler/index.js';
import { DrivenRun, LEASE_MS } from '../../services/orchestrator/src/stages.js';
import { aSpec } from '../../services/orchestrator/src/testing/specs.js';
import { temporaryStores } from '../helpers/embedded.js';
import { waitFor } from '../helpers/wait-for.js';

const progress = { unit: 'images', done: 0, total: 10 };

async function aRun(stores: Stores): Promise<{ runs: RunStore; record: RunRecord }> {
  const runs = new RunStore(stores.state, stores.events);
  const record: RunRecord = {
    id: 'abc123',
    requestId: 'r',
    specHash: 'h',
    spec: aSpec(),
    state: 'running',
    stages: [],
    jobs: [],
    artifacts: [],
    createdAtMs: 1,
    cancelRequested: false,
    lease: { holder: 'first', epoch: 1, expiresAtMs: 0 },
  };
  await runs.create(record);
  return { runs, record };
}

async function takeOver(runs: RunStore, epoch: number): Promise<DrivenRun> {
  const record = await runs.change('abc123', (found) => ({
    ...found,
    lease: { holder: `driver ${epoch}`, epoch, expiresAtMs: 0 },
  }));
  return DrivenRun.begin(runs, systemClock, record, 'took over');
}

describe('driving a run', () => {
  it('fencing - a driver that was taken over from changes neither record nor events', async () => {
    await using fixture = await temporaryStores();
    const { runs, record } = await aRun(fixture.stores);
    const frozen = await DrivenRun.begin(runs, systemClock, record, 'began');
    const stage = frozen.stage('train', progress);
    await stage.begun;
    const driver = await takeOver(runs, 2);
    const before = await runs.get(record.id);
    const sequence = await runs.events.lastSequence(record.id);

    await expect(frozen.note('still here')).rejects.toBeInstanceOf(FencedError);
    await expect(stage.done(false)).rejects.toBeInstanceOf(FencedError);
    await expect(frozen.end('succeeded', {})).rejects.toBeInstanceOf(FencedError);
    expect(await runs.get(record.id)).toEqual(before);
    expect(await runs.events.lastSequence(record.id)).toBe(sequence);
    await driver.end('succeeded', {});
    expect((await runs.get(record.id)).state).toBe('succeeded');
  });

  it('fencing - a driver frozen between record and event appends nothing', async () => {
    await using fixture = await temporaryStores();
    const { runs, record } = await aRun(fixture.stores);
    await DrivenRun.begin(runs, systemClock, record, 'began');
    const frozenSequence = await runs.events.lastSequence(record.id);
    await takeOver(runs, 2);
    await expect(runs.events.append(record.id, encodeJson({ message: 'late' }), frozenSequence)).rejects.toMatchObject({
      code: 'SEQUENCE_MISMATCH',
    });
  });

  it('lease - every write renews it, none after the run was given up', async () => {
    await using fixture = await temporaryStores();
    const { runs, record } = await aRun(fixture.stores);
    const clock = new ManualClock();
    const expiresInMs = async () => ((await runs.get(record.id)).lease?.expiresAtMs ?? 0) - clock.nowMs();
    const driven = await DrivenRun.begin(runs, clock, record, 'began');
    expect([await expiresInMs(), driven.leaseUntilMs - clock.monotonicMs()]).toEqual([LEASE_MS, LEASE_MS]);
    await clock.advance(1_000);
    expect(await expiresInMs()).toBe(LEASE_MS - 1_000);
    await driven.stage('train', progress).begun;
    expect([await expiresInMs(), driven.leaseUntilMs - clock.monotonicMs()]).toEqual([LEASE_MS, LEASE_MS]);
    driven.giveUp();
    await clock.advance(1_000);
    await driven.note('too late');
    expect(await expiresInMs()).toBe(LEASE_MS - 1_000);
    expect(driven.leaseUntilMs).toBeLessThan(clock.monotonicMs());
    await driven.handOver('the next one, please');
    expect((await runs.get(record.id)).lease).toEqual({ ...record.lease, expiresAtMs: 0 });
  });

  it('stages - nothing is told twice, and a new state is told even while a write is under way', async () => {
    await using fixture = await temporaryStores();
    const { runs, record } = await aRun(fixture.stores);
    const driven = await DrivenRun.begin(runs, systemClock, record, 'began');
    const stage = driven.stage('train', progress);
    stage.progress(progress, 'queued');
    stage.progress({ ...progress, done: 3 }, 'running');
    await waitFor('the running state', async () => (await runs.get(record.id)).stages[0]?.state === 'running');
    await stage.done(false);
    const told: string[] = [];
    for await (const { value } of runs.events.read(record.id)) {
      const body = decodeJson<RunEventBody>(value);
      if ('stage' in body) told.push(`${body.stage.state} ${body.stage.progress?.done}`);
    }
    expect(told).toEqual(['queued 0', 'running 3', 'succeeded 10']);
  });

  it('stages - one that waits for others between its jobs has a worker only while it has jobs', async () => {
    await using fixture = await temporaryStores();
    const { stores } = fixture;
    const { runs, record } = await aRun(stores);
    const driven = await DrivenRun.begin(runs, systemClock, record, 'began');
    const stage = driven.stage('train', progress);
    await stage.begun;
    const jobs = async () => (await demandOf('student-trainer', runs, stores.queue)).jobs;
    expect(await jobs()).toBe(0);
    stage.employ('student-trainer');
    await waitFor('a pod to be wanted', async () => (await jobs()) === 1);
    stage.progress({ ...progress, done: 3 }, 'running');
    stage.employ(undefined);
    await waitFor('no pod to be wanted', async () => (await jobs()) === 0);
    expect((await runs.get(record.id)).stages[0]?.state).toBe('running');
  });

  it('writes - what comes at the same moment is one write of the record, and all of it is told', async () => {
    await using fixture = await temporaryStores();
    const { runs, record } = await aRun(fixture.stores);
    const driven = await DrivenRun.begin(runs, systemClock, record, 'began');
    const updates = vi.spyOn(fixture.stores.state, 'update');
    const label = driven.stage('label', progress);
    await label.begun;
    updates.mockClear();
    const train = [label.done(false), driven.stage('train', progress).begun, driven.addJobs(['a', 'b'])];
    await Promise.all([...train, driven.end('succeeded', {})]);
    expect(updates).toHaveBeenCalledTimes(1);

    const { stages, jobs, usedJobs, endSequence } = await runs.get(record.id);
    expect(stages.map(({ name, state }) => `${name} ${state}`)).toEqual(['label succeeded', 'train queued']);
    expect({ jobs, usedJobs }).toEqual({ jobs: [], usedJobs: ['a', 'b'] });
    const told: string[] = [];
    for await (const { value } of runs.events.read(record.id)) {
      const body = decodeJson<RunEventBody>(value);
      told.push('stage' in body ? `${body.stage.name} ${body.stage.state}` : Object.values(body).join());
    }
    expect(told).toEqual(['began', 'label queued', 'label succeeded', 'train queued', 'succeeded']);
    expect(endSequence).toBe(told.length);
  });

  it('writes - one that fails fails its caller, those with it are made by themselves', async () => {
    await using fixture = await temporaryStores();
    const { runs, record } = await aRun(fixture.stores);
    const driven = await DrivenRun.begin(runs, systemClock, record, 'began');
    const append = vi.spyOn(fixture.stores.events, 'append');
    append.mockRejectedValueOnce(new UnavailableError('the store is away'));
    const [first, ...others] = await Promise.allSettled([
      driven.note('lost'),
      driven.note('told'),
      driven.addJobs(['a']),
    ]);
    expect(first).toMatchObject({ status: 'rejected', reason: { message: 'the store is away' } });
    expect(others.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled']);
    expect((await runs.get(record.id)).jobs).toContain('a');
    const told: string[] = [];
    for await (const { value } of runs.events.read(record.id))
      told.push(...Object.values(decodeJson<Record<string, string>>(value)));
    expect(told).toEqual(['began', 'told']);
  });

  it('jobs - the next one is queued when so much of the one before is done, and not before', async () => {
    await using fixture = await temporaryStores();
    const { runs, record } = await aRun(fixture.stores);
    const driven = await DrivenRun.begin(runs, systemClock, record, 'began');
    const stage = driven.stage('label', progress);
    const client = new JobClient(fixture.stores, systemClock);
    const stop = new AbortController();
    const queued = new StageJobs<number, number>('label', [1, 2, 3], stage, progress, client, stop.signal);
    const inHand = new Map<number, { context: JobContext; end: (result: number) => void }>();
    const handlers = {
      label: (request: number, context: JobContext) =>
        new Promise<number>((end) => inHand.set(request, { context, end })),
    };
    const { stores } = fixture;
    const options = { clock: systemClock, handlers, concurrency: 8, signal: stop.signal };
    const working = runJobWorker({ stores, ...options, onError: (error) => expect.unreachable(error.message) });
    const results = queued.results({ ahead: 1, nextAt: 0.85 });
    const job = (number: number) => waitFor(`job ${number}`, () => inHand.get(number));
    const shows = (number: number, done: number) =>
      waitFor(`${done} of job ${number}`, async () => {
        const { progress: shown } = await client.get(queued.ids[number - 1]!);
        return shown?.done === done;
      });

    const first = await job(1);
    first.context.progress({ unit: 'images', done: 84, total: 100 });
    await shows(1, 84);
    expect(inHand.size).toBe(1);
    await expect(client.get(queued.ids[1]!)).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' });
    await waitFor('the next progress to be written', async () => {
      first.context.progress({ unit: 'images', done: 85, total: 100 });
      return (await client.get(queued.ids[0]!)).progress?.done === 85;
    });
    const second = await job(2);
    first.end(10);
    await waitFor('the end of the first job', async () => (await client.get(queued.ids[0]!)).state === 'succeeded');
    expect([...inHand.keys()]).toEqual([1, 2]);
    second.end(20);
    (await job(3)).end(30);
    expect(await results).toEqual([10, 20, 30]);
    stop.abort();
    await working;
  });

  it('interrupting - a run that was left in the middle waits to be resumed, its jobs are stopped', async () => {
    await using fixture = await temporaryStores();
    const { stores } = fixture;
    const { runs, record } = await aRun(stores);
    const jobKey = 'jobs/job1';
    await stores.state.create(
      jobKey,
      encodeJson({
        id: 'job1',
        kind: 'label',
        request: {},
        state: 'queued',
        cancelRequested: false,
        attempts: 0,
        queuedAtMs: 1,
      }),
    );
    await runs.change(record.id, (found) => ({ ...found, jobs: ['job1'] }));

    expect(await interruptOrphanedRuns(stores, systemClock)).toEqual([record.id]);
    expect(await runs.get(record.id)).toMatchObject({
      state: 'failed',
      failure: { code: 'INTERRUPTED', retryable: true },
    });
    const job = JSON.parse(new TextDecoder().decode((await stores.state.get(jobKey))!.value)) as { state: string };
    expect(job.state).toBe('cancelled');
    expect(await interruptOrphanedRuns(stores, systemClock)).toEqual([]);
  });

  it('interrupting - a run that was being cancelled ends as cancelled', async () => {
    await using fixture = await temporaryStores();
    const { runs, record } = await aRun(fixture.stores);
    await runs.change(record.id, (found) => ({ ...found, cancelRequested: true }));
    expect(await interruptOrphanedRuns(fixture.stores, systemClock)).toEqual([]);
    expect((await runs.get(record.id)).state).toBe('cancelled');
  });
});
