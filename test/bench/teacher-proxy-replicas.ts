import { systemClock } from '@bbdistill/common';
import { startMeteredTeacher } from '../helpers/metered-teacher.js';
import type { Behaviour } from '../helpers/metered-teacher.js';
import type { NatsServer } from '../helpers/nats-server.js';
import { Replica, labelShard } from '../helpers/proxy-replicas.js';

export interface ReplicaFigures {
  replicas: number;
  imagesPerSecond: number;
  /** Of the limit, from one second after the first call to the last one. */
  utilisation?: number;
  /** Calls turned away with 429, and those of them after the first second. */
  turnedAway: number;
  turnedAwayLater: number;
  billed: number;
  distinct: number;
  mostOpen: number;
}

interface Setting {
  nats: NatsServer;
  folder: string;
  namespace: string;
  replicas: number;
  behaviour: Behaviour;
  limits: Record<string, number>;
  images: number;
  shardImages: number;
  callConcurrency?: number;
}

/** Labelled by each replica before anything is measured: a process that has just started compiles what it runs. */
const WARM_UP_IMAGES = 400;

/** Labels images by several replicas at once, each a process, of a teacher in a process of its own. */
export async function measureReplicas(setting: Setting): Promise<ReplicaFigures> {
  await using teacher = await startMeteredTeacher(setting.behaviour);
  const config = {
    adapter: 'open-inference-http',
    url: teacher.url,
    model: teacher.model,
    limits: { timeoutMs: 10_000, ...setting.limits },
  };
  const replicas = await Promise.all(
    Array.from({ length: setting.replicas }, (_, n) =>
      Replica.start(`replica-${n}`, {
        natsPort: setting.nats.port,
        namespace: setting.namespace,
        folder: `${setting.folder}/${setting.namespace}`,
        teacher: config,
        ...(setting.callConcurrency !== undefined && { callConcurrency: setting.callConcurrency }),
      }),
    ),
  );
  try {
    await Promise.all(
      replicas.map((replica, n) => {
        const start = setting.images + n * WARM_UP_IMAGES;
        return labelShard(replica, { run: 'warm-up', start, count: WARM_UP_IMAGES });
      }),
    );
    const warmUp = await teacher.summary();
    const starts: number[] = [];
    for (let start = 0; start < setting.images; start += setting.shardImages) starts.push(start);
    const beganMs = systemClock.monotonicMs();
    await Promise.all(
      replicas.flatMap((replica) =>
        Array.from({ length: 4 }, async () => {
          for (let start = starts.shift(); start !== undefined; start = starts.shift()) {
            const count = Math.min(setting.shardImages, setting.images - start);
            await labelShard(replica, { run: 'bench', start, count });
          }
        }),
      ),
    );
    const seconds = (systemClock.monotonicMs() - beganMs) / 1000;
    const { passed: allPassed, turnedAway, images, distinct, mostOpen } = await teacher.summary();
    const passed = allPassed.slice(warmUp.passed.length);
    const steadyFromMs = passed[0]![0] + 1000;
    // The last seconds have no work left for everybody.
    const steadyToMs = passed.at(-1)![0] - 2000;
    const steady = passed.filter(([atMs]) => atMs >= steadyFromMs && atMs < steadyToMs);
    const steadyImages = steady.reduce((sum, [, count]) => sum + count, 0);
    const limit = setting.behaviour.limit?.imagesPerSecond;
    return {
      replicas: setting.replicas,
      imagesPerSecond: Math.round(setting.images / seconds),
      ...(limit !== undefined && { utilisation: steadyImages / ((steadyToMs - steadyFromMs) / 1000) / limit }),
      turnedAway: turnedAway.length,
      turnedAwayLater: turnedAway.filter((atMs) => atMs >= steadyFromMs).length,
      billed: images,
      distinct,
      mostOpen,
    };
  } finally {
    await Promise.all(replicas.map((replica) => replica[Symbol.asyncDispose]()));
  }
}
