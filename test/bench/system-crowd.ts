import { mkdir } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { uploadImages } from '@bbdistill/client';
import { RandomStream, connect } from '@bbdistill/common';
import type { ServiceClient } from '@bbdistill/common';
import type { Run__Output } from '@bbdistill/common/gen/bbdistill/v1/Run.js';
import { chaosImages, chaosSpec } from '../chaos/runs.js';
import { startDistributed } from '../helpers/distributed.js';
import { startMeteredTeacher } from '../helpers/metered-teacher.js';
import { quantile } from './quantiles.js';
import { ResidentMemory, residentMib } from './resident-memory.js';

export interface CrowdOptions {
  folder: string;
  clients: number;
  /** All of them are made at once. */
  runs: number;
  /** How often, one after the other: for memory that never comes back. Default 1. */
  rounds?: number;
  /** How often each client asks for each of its runs. */
  askEveryMs: number;
}

export interface CrowdFigures {
  runs: number;
  clients: number;
  succeeded: number;
  /** What the others ended with. */
  failures: string[];
  /** From the first CreateRun to the end of the last run. */
  wallSeconds: number;
  createRun: LatencyFigures;
  getRun: LatencyFigures;
  /** Of each process: when the runs were made, the most, and when all had ended. */
  rssMib: Record<string, { first: number; most: number; last: number }>;
  /** Of each process, with all that it started. */
  cpuSeconds: Record<string, number>;
  orchestratorRssAfterRoundMib: number[];
  /** Of the orchestrator, over time. */
  orchestratorRssMib: number[];
  billed: number;
  metered: number;
  distinct: number;
}

export interface LatencyFigures {
  calls: number;
  p50Ms: number;
  p99Ms: number;
  maxMs: number;
}

const POINTS_OVER_TIME = 20;

/** Many small runs at once on all services as processes: whether they end well, how fast the API answers meanwhile. */
export async function measureCrowd({
  folder,
  clients,
  runs,
  rounds = 1,
  askEveryMs,
}: CrowdOptions): Promise<CrowdFigures> {
  await mkdir(folder, { recursive: true });
  await using teacher = await startMeteredTeacher({ latencyMs: 20 });
  await using system = await startDistributed({
    folder,
    teacher,
    imagesPerCall: 20,
    concurrency: 8,
    env: { BBDISTILL_ENGINE: 'wasm' },
  });
  const connections = Array.from({ length: clients }, () =>
    connect('bbdistill.v1.DistillationService', system.address),
  );
  try {
    const images = (await uploadImages(connections[0]!, { images: chaosImages() })).id;
    const memory = new ResidentMemory(system.processes);
    const random = new RandomStream(1, 'crowd');
    const creating: number[] = [];
    const asking: number[] = [];
    const rssAfterRound: number[] = [];
    const beganMs = performance.now();
    const ended: Run__Output[] = [];
    for (let round = 0; round < rounds; round++) {
      const numbers = Array.from({ length: runs }, (_, index) => round * runs + index);
      const one = async (number: number) => {
        const orchestrator = connections[number % clients]!;
        const request = { requestId: `crowd-${number}`, spec: chaosSpec(images, number + 1) };
        const { id } = await timed(creating, () => orchestrator.unary('CreateRun', request));
        const watching = watchToEnd(orchestrator, id);
        let run: Run__Output;
        // Clients that know nothing of each other don't ask at the same moment.
        await delay(random.between(0, askEveryMs));
        do {
          await delay(askEveryMs);
          run = await timed(asking, () => orchestrator.unary('GetRun', { runId: id }));
        } while (run.endedAtMs === 0);
        await watching;
        return run;
      };
      ended.push(...(await Promise.all(numbers.map(one))));
      rssAfterRound.push((await residentMib(system.services.orchestrator.pid)) ?? 0);
    }
    const wallSeconds = (performance.now() - beganMs) / 1000;
    await memory.stop();
    const { lines } = await connections[0]!.unary('Usage', { teacher: 'metered' });
    const { images: metered, distinct } = await teacher.meter();
    return {
      runs: ended.length,
      clients,
      succeeded: ended.filter(({ state }) => state === 'RUN_STATE_SUCCEEDED').length,
      failures: ended
        .filter(({ state }) => state !== 'RUN_STATE_SUCCEEDED')
        .map(({ id, state, failure }) => `${id} ${state} ${failure?.message ?? ''}`),
      wallSeconds,
      createRun: latencyFigures(creating),
      getRun: latencyFigures(asking),
      rssMib: Object.fromEntries(
        Object.entries(memory.samples).map(([name, samples]) => [
          name,
          { first: samples[0]!, most: Math.max(...samples), last: samples.at(-1)! },
        ]),
      ),
      cpuSeconds: memory.cpuSeconds,
      orchestratorRssAfterRoundMib: rssAfterRound,
      orchestratorRssMib: thinned(memory.samples['orchestrator'] ?? []),
      billed: lines.reduce((sum, { counts }) => sum + (counts?.billed ?? 0), 0),
      metered,
      distinct,
    };
  } finally {
    for (const connection of connections) connection.close();
  }
}

function thinned(samples: readonly number[]): number[] {
  const points = Math.min(POINTS_OVER_TIME, samples.length);
  return Array.from({ length: points }, (_, point) => samples[Math.floor((point * samples.length) / points)]!);
}

/** What a client that shows progress does beside. */
async function watchToEnd(
  orchestrator: ServiceClient<'bbdistill.v1.DistillationService'>,
  runId: string,
): Promise<void> {
  const events = orchestrator.serverStream('WatchRun', { runId });
  for await (const event of events) void event;
}

async function timed<T>(timesMs: number[], call: () => Promise<T>): Promise<T> {
  const beganMs = performance.now();
  try {
    return await call();
  } finally {
    timesMs.push(performance.now() - beganMs);
  }
}

function latencyFigures(timesMs: readonly number[]): LatencyFigures {
  return {
    calls: timesMs.length,
    p50Ms: quantile(timesMs, 0.5),
    p99Ms: quantile(timesMs, 0.99),
    maxMs: Math.max(...timesMs),
  };
}
