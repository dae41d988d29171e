import { mkdir } from 'node:fs/promises';
import { uploadImages } from '@bbdistill/client';
import { connect, decodeJson, isEnded, openNatsStores, systemClock } from '@bbdistill/common';
import type { JobRecord, NatsStores, ServiceClient } from '@bbdistill/common';
import type { Run__Output } from '@bbdistill/common/gen/bbdistill/v1/Run.js';
import type { RunSpec__Output } from '@bbdistill/common/gen/bbdistill/v1/RunSpec.js';
import { chaosImages, chaosSpec } from '../chaos/runs.js';
import { startDistributed } from '../helpers/distributed.js';
import { startMeteredTeacher } from '../helpers/metered-teacher.js';
import type { MeteredTeacher } from '../helpers/metered-teacher.js';
import { waitFor } from '../helpers/wait-for.js';
import { quantile } from './quantiles.js';

export interface ReactionOptions {
  folder: string;
  /** Cancels of each kind of work, and takeovers. */
  repeats: number;
}

export interface ReactionFigures {
  /** From CancelRun until no worker has a job of the run in hand and the teacher no call of it open. */
  cancelMs: Record<CancelledWork, { medianMs: number; maxMs: number }>;
  /** From the orchestrator's SIGKILL until another one drives its run. */
  takeoverMs: { medianMs: number; maxMs: number };
}

/** What is under way when the run is cancelled. */
type CancelledWork = 'label' | 'fit' | 'train';

const WAIT_MS = 120_000;
/** How long the teacher takes for a call while labelling is cancelled. */
const CALL_MS = 200;
/** Long enough to be cancelled in. */
const LONG_EPOCHS = 50_000;

/** How fast workers drop a cancelled run, and how fast another orchestrator goes on with the run of a dead one. */
export async function measureReactions({ folder, repeats }: ReactionOptions): Promise<ReactionFigures> {
  await mkdir(folder, { recursive: true });
  await using teacher = await startMeteredTeacher();
  await using system = await startDistributed({
    folder,
    teacher,
    imagesPerCall: 5,
    concurrency: 2,
    env: { BBDISTILL_ENGINE: 'wasm' },
  });
  const others = [system.another('orchestrator', 'orchestrator-2')];
  const stores = await openNatsStores({ servers: [system.natsUrl], replicas: 1, clock: systemClock });
  const first = connect('bbdistill.v1.DistillationService', system.address);
  try {
    const images = (await uploadImages(first, { images: chaosImages() })).id;
    let seed = 1;
    const cancels: [CancelledWork, { medianMs: number; maxMs: number }][] = [];
    for (const work of ['label', 'fit', 'train'] as const) {
      const times: number[] = [];
      for (let i = 0; i < repeats; i++) {
        times.push(await cancelOnce({ orchestrator: first, teacher, stores }, work, specFor(work, images, seed++)));
      }
      cancels.push([work, figuresOf(times)]);
    }
    await others[0]!.start();
    const takeovers: number[] = [];
    for (let i = 0; i < repeats; i++) {
      const both = [system.services.orchestrator, others[0]!];
      const victim = both[i % 2]!;
      const survivor = both[(i + 1) % 2]!;
      const [makes, watches] = [victim, survivor].map(({ address }) =>
        connect('bbdistill.v1.DistillationService', address),
      );
      // Started again at the same address: whoever knew it before tries anew only after a while.
      await waitFor('both to answer', async () => (await answers(makes!)) && (await answers(watches!)), WAIT_MS);
      await teacher.control({ hold: true });
      const { id } = await makes!.unary('CreateRun', {
        requestId: `takeover-${seed}`,
        spec: chaosSpec(images, seed++),
      });
      await waitFor('an open call', async () => (await teacher.meter()).open > 0, WAIT_MS);
      const before = await watches!.unary('GetRun', { runId: id });
      const beganMs = performance.now();
      await victim.kill();
      await waitFor(
        'another driver',
        async () => (await watches!.unary('GetRun', { runId: id })).epoch > before.epoch,
        WAIT_MS,
      );
      takeovers.push(performance.now() - beganMs);
      await teacher.control({ hold: false });
      await endOf(watches!, id);
      await victim.start();
      for (const client of [makes!, watches!]) client.close();
    }
    return {
      cancelMs: Object.fromEntries(cancels) as ReactionFigures['cancelMs'],
      takeoverMs: figuresOf(takeovers),
    };
  } finally {
    first.close();
    await stores.close();
    await Promise.all(others.map((other) => other.stop()));
  }
}

type Orchestrator = ServiceClient<'bbdistill.v1.DistillationService'>;

function answers(orchestrator: Orchestrator): Promise<boolean> {
  return orchestrator.unary('ListRuns', {}).then(
    () => true,
    () => false,
  );
}

interface Cancelling {
  orchestrator: Orchestrator;
  teacher: MeteredTeacher;
  stores: NatsStores;
}

async function cancelOnce(
  { orchestrator, teacher, stores }: Cancelling,
  work: CancelledWork,
  spec: RunSpec__Output,
): Promise<number> {
  // Calls in flight are paid for, so that their answers are waited for: a silent teacher would be measured instead.
  await teacher.control({ latencyMs: work === 'label' ? CALL_MS : 0 });
  const { id } = await orchestrator.unary('CreateRun', { requestId: `cancel-${spec.seed}`, spec });
  await waitFor(
    `${work} jobs under way`,
    async () => {
      const running = (await jobsOf(stores)).some(({ kind, state, progress }) => {
        const isFarEnough = work === 'label' || (progress?.done ?? 0) > 0;
        return kind === work && state === 'running' && isFarEnough;
      });
      return running && (work !== 'label' || (await teacher.meter()).open > 0);
    },
    WAIT_MS,
  );
  const beganMs = performance.now();
  await orchestrator.unary('CancelRun', { runId: id });
  await waitFor(
    'workers that dropped the run',
    async () => (await jobsOf(stores)).every(({ state }) => isEnded(state)) && (await teacher.meter()).open === 0,
    WAIT_MS,
  );
  const tookMs = performance.now() - beganMs;
  const { state } = await endOf(orchestrator, id);
  if (state !== 'RUN_STATE_CANCELLED') throw new Error(`the run that was cancelled in ${work} ended as ${state}`);
  await teacher.control({ latencyMs: 0 });
  return tookMs;
}

async function jobsOf(stores: NatsStores): Promise<JobRecord[]> {
  const jobs: JobRecord[] = [];
  for await (const { value } of stores.state.list('jobs/')) jobs.push(decodeJson<JobRecord>(value));
  return jobs;
}

async function endOf(orchestrator: Orchestrator, runId: string): Promise<Run__Output> {
  return waitFor(
    'the end of the run',
    async () => {
      const run = await orchestrator.unary('GetRun', { runId });
      return run.endedAtMs > 0 && run;
    },
    WAIT_MS,
  );
}

function specFor(work: CancelledWork, images: string, seed: number): RunSpec__Output {
  const spec = chaosSpec(images, seed);
  const { synthesis, student } = spec;
  if (work === 'fit') {
    const cvae = { ...synthesis!.cvae!, epochs: LONG_EPOCHS };
    return { ...spec, synthesis: { ...synthesis!, cvae } };
  }
  if (work === 'train') {
    const recipe = { ...student!.recipe!, epochs: LONG_EPOCHS };
    return { ...spec, student: { ...student!, recipe } };
  }
  return spec;
}

function figuresOf(timesMs: readonly number[]): { medianMs: number; maxMs: number } {
  return { medianMs: quantile(timesMs, 0.5), maxMs: Math.max(...timesMs) };
}
