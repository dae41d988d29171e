import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RandomStream, decodeJson, isEnded, openEmbeddedStores, systemClock } from '@bbdistill/common';
import type { JobRecord } from '@bbdistill/common';
import type { RunEvent } from '@bbdistill/common/gen/bbdistill/v1/RunEvent.js';
import type { Report } from '@bbdistill/orchestrator';
import { startCli, writeMeteredRun } from '../helpers/cli-process.js';
import type { CliProcess } from '../helpers/cli-process.js';
import { startMeteredTeacher } from '../helpers/metered-teacher.js';
import type { MeterReading, MeteredTeacher } from '../helpers/metered-teacher.js';
import { runCli } from '../helpers/run-cli.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import type { TemporaryFolder } from '../helpers/temporary-folder.js';
import { waitFor } from '../helpers/wait-for.js';

const REAL = 40;
const SYNTHETIC = 120;
const IMAGES_PER_CALL = 5;
const CONCURRENCY = 2;
const MOST_IN_FLIGHT = IMAGES_PER_CALL * CONCURRENCY;
const LATENCY_MS = 20;
/** From the moment when a driver has a resumed run until its first job is worked on. */
const MAX_START_MS = 2_000;

interface Reference {
  student: Buffer;
  distinct: number;
}

let folder: TemporaryFolder;
let reference: Reference;

beforeAll(async () => {
  folder = await temporaryFolder();
  await using teacher = await startMeteredTeacher();
  const place = await placeFor('reference', teacher);
  await using cli = place.start('run', place.file, '--out', place.out);
  expect(await cli.exitCode()).toBe(0);
  reference = { student: await studentOf(place.out), distinct: (await teacher.meter()).distinct };
});
afterAll(() => folder[Symbol.asyncDispose]());

async function placeFor(name: string, teacher: MeteredTeacher) {
  const base = join(folder.path, name);
  const file = await writeMeteredRun(base, teacher, {
    real: REAL,
    synthetic: SYNTHETIC,
    imagesPerCall: IMAGES_PER_CALL,
    concurrency: CONCURRENCY,
  });
  const state = join(base, 'state');
  return {
    file,
    state,
    out: join(base, 'out'),
    start: (...args: string[]) => startCli(...args, '--state', state),
    cli: (...args: string[]) => runCli(...args, '--state', state),
  };
}

const studentOf = (out: string) => readFile(join(out, 'student', 'model.onnx'));

const runningStage = (name: string) => (event: RunEvent) =>
  event.stage?.name === name && event.stage.state === 'JOB_STATE_RUNNING';

/** Every image is answered once; the ledger never has less than the teacher's meter, and what it has more is in doubt. */
function expectPaidOnce({ queries }: Report, meter: MeterReading, mostUnknown: number): void {
  const { asked, reasked, cached, coalesced, billed, failed, unresolved, unknown } = queries;
  expect(asked).toBe(REAL + SYNTHETIC);
  expect(asked + reasked!).toBe(cached + coalesced + billed + failed + unresolved);
  expect({ failed, unresolved }).toEqual({ failed: 0, unresolved: 0 });
  expect(meter.distinct).toBe(reference.distinct);
  expect(billed - unknown).toBe(reference.distinct);
  expect(unknown).toBeLessThanOrEqual(mostUnknown);
  expect(meter.images).toBeLessThanOrEqual(billed);
}

async function expectNothingLeftOver(place: { state: string; out: string }): Promise<void> {
  const files = [
    ...(await readdir(place.state, { recursive: true })),
    ...(await readdir(place.out, { recursive: true })),
  ];
  expect(files.filter((name) => name.includes('.partial') || name.includes('.writing-'))).toEqual([]);
  const stores = await openEmbeddedStores({ folder: place.state, clock: systemClock });
  try {
    const kinds = new Set<string>();
    for await (const entry of stores.state.list('jobs/')) {
      const job = decodeJson<JobRecord>(entry.value);
      kinds.add(job.kind);
      expect(`${job.kind} ${isEnded(job.state) ? 'ended' : job.state}`).toBe(`${job.kind} ended`);
    }
    expect(kinds.size).toBeGreaterThan(5);
    for (const kind of kinds) expect(await stores.queue.waiting(kind)).toBe(0);
  } finally {
    await stores.close();
  }
}

/** A process that goes on with a run begins to work soon, whatever the killed one held. */
function expectSoonAtWork(cli: CliProcess): void {
  const events = cli.events();
  const driven = events.find(({ message }) => message?.startsWith('driven by'));
  const working = events.find(({ stage }) => stage && stage.state !== 'JOB_STATE_QUEUED');
  expect(Number(working?.atMs) - Number(driven?.atMs)).toBeLessThan(MAX_START_MS);
}

describe('kill', () => {
  it('kill -9 in every stage, while resuming and while starting up - no answer is paid twice, same student', async () => {
    await using teacher = await startMeteredTeacher({ latencyMs: LATENCY_MS });
    const place = await placeFor('every-stage', teacher);
    const random = new RandomStream(1, 'kills');
    const sequences: number[] = [];
    let id: string | undefined;
    let labelKills = 0;
    const begin = () =>
      id === undefined ? place.start('run', place.file, '--out', place.out) : place.start('resume', id);
    for (const stage of ['label-seeds', 'start', 'label-mixup', 'fit-cvae', 'train', 'evaluate']) {
      await using cli = begin();
      if (stage === 'start') await delay(random.between(300, 2_500));
      else {
        id = await cli.runId();
        await cli.event(`${stage} runs`, runningStage(stage));
        await delay(random.between(0, 200));
      }
      await cli.kill();
      labelKills++;
      sequences.push(...cli.events().map(({ sequence }) => Number(sequence)));
    }
    {
      await using cli = begin();
      await cli.event('export runs', runningStage('export'));
      await delay(random.between(0, 100));
      await cli.kill();
    }
    await using cli = begin();
    expect(await cli.exitCode(), cli.child.errorOutput()).toBe(0);
    expectSoonAtWork(cli);
    expectPaidOnce(cli.report(), await teacher.meter(), labelKills * MOST_IN_FLIGHT);
    expect((await studentOf(place.out)).equals(reference.student)).toBe(true);
    expect(new Set(sequences).size).toBe(sequences.length);

    const watched = await place.cli('watch', id!, '--json');
    const all = watched.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as RunEvent);
    expect(all.map(({ sequence }) => sequence)).toEqual(all.map((_, index) => index + 1));
    const steps = all.map((event) => JSON.stringify({ ...event, sequence: 0, atMs: 0 }));
    expect(steps.filter((step, index) => step === steps[index - 1])).toEqual([]);
    const trained = all.findLast(({ stage }) => stage?.name === 'train')!.stage!;
    expect(trained.progress).toMatchObject({ unit: 'steps', done: 600, total: 600 });
    await expectNothingLeftOver(place);
  });

  it('kill -9 with calls open, twice in a row - exactly their images are unknown and asked again', async () => {
    await using teacher = await startMeteredTeacher({ hold: true });
    const place = await placeFor('held', teacher);
    const allHeld = (calls: number) =>
      waitFor(
        'every place held open',
        async () => {
          const meter = await teacher.meter();
          return meter.open === CONCURRENCY && meter.images === calls * MOST_IN_FLIGHT;
        },
        30_000,
      );
    let id: string;
    {
      await using first = place.start('run', place.file, '--out', place.out);
      id = await first.runId();
      await allHeld(1);
      await first.kill();
    }
    {
      await using second = place.start('resume', id);
      await allHeld(2);
      await second.kill();
    }

    // Somebody does something else in the same state folder: what was interrupted stays so, and costs nothing.
    const other = ['--teachers.fake', '{ adapter: fake, fake: { classes: 4 } }', '--run.teacher', 'fake'];
    const small = ['--run.synthesis.images', '0', '--run.student.epochs', '1'];
    const fresh = await place.cli('run', place.file, '--out', join(place.out, 'other'), ...other, ...small);
    expect(fresh.stderr).toContain(`run ${id} was interrupted`);
    expect(fresh.exitCode).toBe(0);
    expect((await teacher.meter()).images).toBe(2 * MOST_IN_FLIGHT);
    const listed = await place.cli('runs');
    expect(listed.stdout).toMatch(new RegExp(`^${id} .*failed .*resume the run to go on`, 'm'));
    const runs = JSON.parse((await place.cli('runs', '--json')).stdout) as { id: string; state: string }[];
    expect(runs.find((run) => run.id === id)?.state).toBe('RUN_STATE_FAILED');

    await teacher.control({ hold: false });
    await using last = place.start('resume', id);
    expect(await last.exitCode(), last.child.errorOutput()).toBe(0);
    expectSoonAtWork(last);
    const meter = await teacher.meter();
    expectPaidOnce(last.report(), meter, 2 * MOST_IN_FLIGHT);
    expect(last.report().queries.unknown).toBe(2 * MOST_IN_FLIGHT);
    expect(last.report().queries.byPhase.seeds.unknown).toBe(2 * MOST_IN_FLIGHT);
    expect(meter.images).toBe(reference.distinct + 2 * MOST_IN_FLIGHT);
    expect((await studentOf(place.out)).equals(reference.student)).toBe(true);
  });

  it('a second process on the same state folder - is refused and names the first', async () => {
    await using teacher = await startMeteredTeacher({ hold: true });
    const place = await placeFor('two', teacher);
    await using first = place.start('run', place.file, '--out', place.out);
    await first.runId();
    await using second = place.start('run', place.file, '--out', place.out);
    expect(await second.exitCode()).toBe(2);
    expect(second.child.errorOutput()).toContain(`is in use by process ${first.child.process.pid}`);
    const refused = await place.cli('usage');
    expect(refused.exitCode).toBe(2);
    await first.kill();
  });
});
