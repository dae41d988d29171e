import { mkdir, readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { RandomStream, connect, decodeJson, isEnded, openNatsStores, patiently, systemClock } from '@bbdistill/common';
import type { JobRecord, NatsStores, ServiceClient } from '@bbdistill/common';
import type { RunSpec__Output } from '@bbdistill/common/gen/bbdistill/v1/RunSpec.js';
import type { Run__Output } from '@bbdistill/common/gen/bbdistill/v1/Run.js';
import type { LocalProcess } from '../../deploy/local/process.js';
import type { LocalSystem } from '../../deploy/local/system.js';
import { uploadImages } from '../../services/cli/src/upload.js';
import { collectGarbage } from '../../services/orchestrator/src/garbage.js';
import { startDistributed } from '../helpers/distributed.js';
import { startMeteredTeacher } from '../helpers/metered-teacher.js';
import { waitFor } from '../helpers/wait-for.js';
import { chaosImages, chaosSpec } from './runs.js';

export interface ChaosOptions {
  folder: string;
  kills: number;
  seed: number;
  /** Runs under way at once; as soon as one ends, another is made. */
  concurrentRuns: number;
  say: (line: string) => void;
}

export interface ChaosResult {
  kills: Record<string, number>;
  runs: { id: string; state: string; failure: string }[];
  billed: number;
  unknown: number;
  distinct: number;
  /** What the teacher charged for. */
  metered: number;
  /** Images that the teacher had open at the moments of the kills, added up. */
  openAtKills: number;
  /** Blobs that no record names: what killed processes left, before garbage was collected and after. */
  orphanBlobs: { before: number; after: number };
  /** Files of runs that can't be downloaded any more after garbage was collected. */
  lostFiles: string[];
  /** Runs, jobs and messages that something still holds. */
  stuck: string[];
  /** Resident memory of each process at the end. */
  rssMib: Record<string, number>;
}

const MIN_PAUSE_MS = 500;
const MAX_PAUSE_MS = 3_000;
const MIN_AWAY_MS = 1_000;
const MAX_AWAY_MS = 5_000;
const END_TIMEOUT_MS = 900_000;
const READY_TIMEOUT_MS = 120_000;
const CALL_PATIENCE_MS = 600_000;
const LOG_LINES = 15;
const IMAGES_PER_CALL = 5;
const CONCURRENCY = 2;

type Orchestrator = ServiceClient<'bbdistill.v1.DistillationService'>;

/**
 * Small runs, one after the other and side by side, while randomly chosen processes are killed with SIGKILL and come
 * back after 1 to 5 s. The teacher is no victim: its meter is the truth that the bill is held against.
 */
export async function runChaos(options: ChaosOptions): Promise<ChaosResult> {
  const { folder, kills, seed, concurrentRuns, say } = options;
  await mkdir(folder, { recursive: true });
  await using teacher = await startMeteredTeacher({ latencyMs: 250 });
  await using system = await startDistributed({
    folder,
    teacher,
    imagesPerCall: IMAGES_PER_CALL,
    concurrency: CONCURRENCY,
    env: {
      NATS_ACK_WAIT_MS: '5000',
      BBDISTILL_ENGINE: 'wasm',
      BBDISTILL_CHECKPOINT_INTERVAL_MS: '300',
    },
  });
  const orchestrator = connect('bbdistill.v1.DistillationService', system.address);
  const random = new RandomStream(seed, 'chaos');
  const killing = new AbortController();
  const runs: Run__Output[] = [];
  const client = { orchestrator, patience: { clock: systemClock, patienceMs: CALL_PATIENCE_MS } };
  const images = await patiently(
    () => uploadImages(orchestrator, { images: chaosImages() }, new AbortController().signal),
    client.patience,
  );
  let made = 0;
  const lane = async () => {
    do {
      const number = ++made;
      const run = await oneRun(client, chaosSpec(images.id, seed * 10_000 + number), `chaos-${seed}-${number}`);
      say(`run ${run.id} ${run.state} ${run.failure?.code ?? ''} ${run.failure?.message ?? ''}`);
      runs.push(run);
    } while (!killing.signal.aborted);
  };
  const lanes = Promise.all(Array.from({ length: concurrentRuns }, lane));
  // Told where it is awaited, below.
  lanes.catch(() => undefined);

  const killed: Record<string, number> = {};
  const restarts: Promise<void>[] = [];
  let openAtKills = 0;
  for (let kill = 1; kill <= kills; kill++) {
    // On a busy machine a process takes long to start: without this wait nothing would ever be under way.
    await allReady(system);
    await delay(random.between(MIN_PAUSE_MS, MAX_PAUSE_MS));
    const victim = system.processes[random.integer(system.processes.length)]!;
    const awayMs = random.between(MIN_AWAY_MS, MAX_AWAY_MS);
    const { openImages } = await teacher.meter();
    await victim.kill();
    openAtKills += openImages;
    killed[victim.name] = (killed[victim.name] ?? 0) + 1;
    say(`kill ${kill} ${victim.name}, ${openImages} images open, away for ${Math.round(awayMs)} ms`);
    restarts.push(delay(awayMs).then(() => startAgain(victim, system)));
  }
  await Promise.all(restarts);
  killing.abort();
  await lanes;
  say('all runs have ended');

  const { lines } = await patiently(() => orchestrator.unary('Usage', { teacher: 'metered' }), client.patience);
  const total = (name: 'billed' | 'unknown') => lines.reduce((sum, { counts }) => sum + (counts?.[name] ?? 0), 0);
  const { images: metered, distinct } = await teacher.meter();
  const rssMib = Object.fromEntries(
    await Promise.all(system.processes.map(async (each) => [each.name, await rssMibOf(each)] as const)),
  );
  const stores = await openNatsStores({ servers: [system.natsUrl], replicas: 1, clock: systemClock });
  try {
    const before = await orphanBlobs(stores);
    await collectGarbage({ stores, clock: systemClock, ageMs: -END_TIMEOUT_MS, runRetentionMs: 0 });
    const lostFiles = await filesLost(orchestrator, runs);
    return {
      kills: killed,
      runs: runs.map(({ id, state, failure }) => ({ id, state, failure: failure?.message ?? '' })),
      billed: total('billed'),
      unknown: total('unknown'),
      distinct,
      metered,
      openAtKills,
      orphanBlobs: { before, after: await orphanBlobs(stores) },
      lostFiles,
      stuck: await stuck(stores),
      rssMib,
    };
  } finally {
    orchestrator.close();
    await stores.close();
  }
}

async function filesLost(orchestrator: Orchestrator, runs: readonly Run__Output[]): Promise<string[]> {
  const lost: string[] = [];
  for (const { id, artifacts } of runs) {
    for (const { path, blob } of artifacts) {
      let bytes = 0;
      const pieces = orchestrator.serverStream('DownloadArtifact', { runId: id, path });
      try {
        for await (const { data } of pieces) bytes += data.length;
      } catch {
        bytes = -1;
      }
      if (bytes !== blob?.sizeBytes) lost.push(`${id}/${path}`);
    }
  }
  return lost;
}

async function allReady({ processes }: LocalSystem): Promise<void> {
  const isReady = () => processes.every((each) => each.isReady);
  try {
    await waitFor('all processes', isReady, READY_TIMEOUT_MS);
  } catch (error) {
    const absent = processes.filter((each) => !each.isReady);
    const logs = absent.map(
      async ({ name, isRunning, program }) =>
        `${name} ${isRunning ? 'runs, but is not ready' : 'does not run'}:\n${await endOf(program.logFile)}`,
    );
    throw new Error((await Promise.all(logs)).join('\n'), { cause: error });
  }
}

async function endOf(logFile: string): Promise<string> {
  const text = await readFile(logFile, 'utf8').catch(() => '');
  return text.split('\n').slice(-LOG_LINES).join('\n');
}

/** A service whose NATS is away doesn't get ready; whoever supervises it starts it again. */
async function startAgain(victim: LocalProcess, system: LocalSystem): Promise<void> {
  for (;;) {
    try {
      if (!victim.isRunning) await victim.start();
      return;
    } catch (error) {
      if (!system.processes.includes(victim)) throw error;
      await delay(MIN_AWAY_MS);
    }
  }
}

async function oneRun(
  { orchestrator, patience }: { orchestrator: Orchestrator; patience: Parameters<typeof patiently>[1] },
  spec: RunSpec__Output,
  requestId: string,
): Promise<Run__Output> {
  const { id } = await patiently(() => orchestrator.unary('CreateRun', { requestId, spec }), patience);
  return waitFor(
    `the end of run ${id}`,
    async () => {
      await delay(MIN_PAUSE_MS);
      const run = await patiently(() => orchestrator.unary('GetRun', { runId: id }), patience);
      return run.endedAtMs > 0 && run;
    },
    END_TIMEOUT_MS,
  );
}

/** Blobs that are there, but that no record of a run, job, data set or checkpoint names. */
async function orphanBlobs(stores: NatsStores): Promise<number> {
  const named = new Set<string>();
  for await (const { value } of stores.state.list('')) {
    for (const [hash] of new TextDecoder().decode(value).matchAll(/[0-9a-f]{64}/g)) named.add(hash);
  }
  let orphans = 0;
  for await (const hash of stores.blobs.list()) if (!named.has(hash)) orphans++;
  return orphans;
}

async function stuck(stores: NatsStores): Promise<string[]> {
  const found: string[] = [];
  const kinds = new Set<string>();
  for await (const { key, value } of stores.state.list('runs/')) {
    const { state, lease } = decodeJson<{ state: string; lease?: { holder: string } }>(value);
    if (lease && lease.holder !== '') found.push(`${key} ${state} is leased to ${lease.holder}`);
  }
  for await (const { key, value } of stores.state.list('jobs/')) {
    const job = decodeJson<JobRecord>(value);
    kinds.add(job.kind);
    if (!isEnded(job.state)) found.push(`${key} ${job.kind} is ${job.state}`);
  }
  for (const kind of kinds) {
    const waiting = await stores.queue.waiting(kind);
    if (waiting > 0) found.push(`${waiting} messages of ${kind} wait`);
  }
  return found;
}

async function rssMibOf({ pid }: LocalProcess): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Math.round(Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024);
}
