import { describe, expect, it } from 'vitest';
import { encodeJson, systemClock } from '@bbdistill/common';
import type { Clock, JobRecord, Stores } from '@bbdistill/common';
import { DatasetStore } from '../../services/orchestrator/src/datasets.js';
import { collectGarbage } from '../../services/orchestrator/src/garbage.js';
import { RunStore } from '../../services/orchestrator/src/run-record.js';
import type { RunRecord } from '../../services/orchestrator/src/run-record.js';
import { aSpec } from '../../services/orchestrator/src/testing/specs.js';
import { temporaryStores } from '../helpers/embedded.js';

const AGE_MS = 3_600_000;
const later: Clock = { ...systemClock, nowMs: () => systemClock.nowMs() + 2 * AGE_MS };

const collect = (stores: Stores, options: { clock?: Clock; runRetentionMs?: number } = {}) =>
  collectGarbage({ stores, clock: later, ageMs: AGE_MS, runRetentionMs: 0, ...options });

async function aJob(stores: Stores, id: string, state: JobRecord['state'] = 'succeeded'): Promise<string> {
  const { sha256 } = await stores.blobs.put(encodeJson(`result of ${id}`));
  const job = { id, kind: 'mix', request: {}, state, result: { sha256 }, cancelRequested: false, attempts: 1 };
  await stores.state.create(`jobs/${id}`, encodeJson({ ...job, queuedAtMs: 1, endedAtMs: systemClock.nowMs() }));
  return sha256;
}

async function aRun(
  stores: Stores,
  id: string,
  usedJobs: string[],
  changes: Partial<RunRecord> = {},
): Promise<RunStore> {
  const runs = new RunStore(stores.state, stores.events);
  await runs.create({
    id,
    requestId: id,
    specHash: '',
    spec: aSpec(),
    state: 'succeeded',
    stages: [],
    jobs: [],
    usedJobs,
    artifacts: [],
    createdAtMs: 1,
    endedAtMs: systemClock.nowMs(),
    cancelRequested: false,
    ...changes,
  });
  return runs;
}

describe('garbage', () => {
  it('runs - what only a deleted run used goes, what another one uses stays', async () => {
    await using fixture = await temporaryStores();
    const { stores } = fixture;
    const [own, shared] = [await aJob(stores, 'own'), await aJob(stores, 'shared')];
    const runs = await aRun(stores, 'one', ['own', 'shared']);
    await aRun(stores, 'two', ['shared']);
    expect(await collect(stores)).toEqual({ runs: 0, jobs: 0, datasets: 0, blobs: 0 });
    await runs.delete('one');
    expect(await collect(stores)).toEqual({ runs: 0, jobs: 1, datasets: 0, blobs: 1 });
    expect(await stores.blobs.has(own)).toBe(false);
    expect(await stores.blobs.has(shared)).toBe(true);
  });

  it('age - what is young stays, whoever uses it or not', async () => {
    await using fixture = await temporaryStores();
    const { stores } = fixture;
    await aJob(stores, 'unused');
    await stores.blobs.put(encodeJson('on its way'));
    expect(await collect(stores, { clock: systemClock })).toEqual({ runs: 0, jobs: 0, datasets: 0, blobs: 0 });
    expect(await collect(stores)).toEqual({ runs: 0, jobs: 1, datasets: 0, blobs: 2 });
  });

  it('jobs - what is queued or running stays', async () => {
    await using fixture = await temporaryStores();
    const { stores } = fixture;
    await aJob(stores, 'waits', 'queued');
    await aJob(stores, 'runs', 'running');
    expect(await collect(stores)).toEqual({ runs: 0, jobs: 0, datasets: 0, blobs: 0 });
  });

  it('data sets - those that no run names go, those that were uploaded again lately stay', async () => {
    await using fixture = await temporaryStores();
    const { stores } = fixture;
    const shape = { height: 12, width: 12, channels: 1 };
    const upload = (clock: Clock, grey: number) =>
      new DatasetStore(stores.state, stores.blobs, clock).store(
        { shape, classNames: [] },
        (async function* () {
          yield { pixels: new Uint8Array(144).fill(grey), labels: [] };
        })(),
      );
    const used = await upload(systemClock, 1);
    await upload(systemClock, 2);
    const again = await upload(systemClock, 3);
    expect(await upload(later, 3)).toEqual(again);
    await aRun(stores, 'one', [], { spec: { ...aSpec(), images: used.id } });
    expect(await collect(stores)).toMatchObject({ datasets: 1 });
    const datasets = new DatasetStore(stores.state, stores.blobs, systemClock);
    expect(await datasets.get(used.id)).toEqual(used);
    expect(await datasets.get(again.id)).toEqual(again);
  });

  it('retention - runs that are over for long enough are deleted, those under way are not', async () => {
    await using fixture = await temporaryStores();
    const { stores } = fixture;
    const runs = await aRun(stores, 'over', []);
    await aRun(stores, 'old', [], { state: 'running', endedAtMs: 1 });
    expect(await collect(stores, { runRetentionMs: 3 * AGE_MS })).toMatchObject({ runs: 0 });
    expect(await collect(stores, { runRetentionMs: AGE_MS })).toMatchObject({ runs: 1 });
    expect((await runs.list()).map(({ id }) => id)).toEqual(['old']);
    await expect(runs.delete('old')).rejects.toMatchObject({ code: 'RUN_UNDER_WAY' });
  });

  it('checkpoints - one whose training has succeeded goes', async () => {
    await using fixture = await temporaryStores();
    const { stores } = fixture;
    await aJob(stores, 'done');
    await aJob(stores, 'trains', 'running');
    await aRun(stores, 'one', ['done', 'trains']);
    for (const id of ['done', 'trains']) {
      const { sha256 } = await stores.blobs.put(encodeJson(`checkpoint of ${id}`));
      await stores.state.create(`checkpoints/${id}`, encodeJson({ sha256 }));
    }
    expect(await collect(stores)).toMatchObject({ blobs: 1 });
    expect(await stores.state.get('checkpoints/done')).toBeUndefined();
    expect(await stores.state.get('checkpoints/trains')).toBeDefined();
  });
});
