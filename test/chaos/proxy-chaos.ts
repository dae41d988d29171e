import { setTimeout as delay } from 'node:timers/promises';
import { RandomStream } from '@bbdistill/common';
import { startMeteredTeacher } from '../helpers/metered-teacher.js';
import type { MeteredTeacher } from '../helpers/metered-teacher.js';
import { startNatsServer } from '../helpers/nats-server.js';
import { Replica, labelShard } from '../helpers/proxy-replicas.js';
import { waitFor } from '../helpers/wait-for.js';

export interface ProxyChaosOptions {
  folder: string;
  images: number;
  replicas: number;
  faults: number;
  seed: number;
  /** How long a replica is frozen or cut off, ms. */
  awayMs: [number, number];
  /** Of the teacher; also what keeps the run alive until the last fault. */
  imagesPerSecond: number;
  budgetImages: number;
  say?: (line: string) => void;
}

export interface ProxyChaosResult {
  faults: Record<string, number>;
  /** Images that ended with an answer. */
  answered: number;
  exhausted: number;
  /** What the teacher charged for, and how many different images that were. */
  metered: number;
  distinct: number;
  /** Images that the teacher had open when a replica was killed, frozen or cut off. */
  openAtFaults: number;
  billed: number;
  settled: number;
  unknown: number;
  reasked: number;
  retried: number;
  asked: number;
  turnedAway: number;
  seconds: number;
}

const SHARD_IMAGES = 100;
const IMAGES_PER_CALL = 20;
const TIMEOUT_MS = 2_000;
const SHARDS_PER_REPLICA = 2;
const WAY_MS = 50;
const RECOVERY_TIMEOUT_MS = 120_000;

const teacherConfig = (teacher: MeteredTeacher, imagesPerSecond: number) => ({
  adapter: 'open-inference-http',
  url: teacher.url,
  model: teacher.model,
  limits: { imagesPerCall: IMAGES_PER_CALL, concurrency: 16, imagesPerSecond, timeoutMs: TIMEOUT_MS },
  price: { perImage: 0.001 },
});

/**
 * One run over several replicas, which are killed, frozen and cut off from NATS one after the other while the teacher
 * fails a tenth of its calls. A fault waits until the replica of the last one labels again.
 */
export async function runProxyChaos(options: ProxyChaosOptions): Promise<ProxyChaosResult> {
  const { folder, images, faults, seed, budgetImages, say = () => undefined } = options;
  const beganMs = performance.now();
  await using nats = await startNatsServer();
  await using teacher = await startMeteredTeacher({ latencyMs: 150, failPart: 0.1 });
  const replicas = await Promise.all(
    Array.from({ length: options.replicas }, (_, n) =>
      Replica.start(`replica-${n}`, {
        natsPort: nats.port,
        namespace: 'chaos',
        folder,
        teacher: teacherConfig(teacher, options.imagesPerSecond),
        patienceMs: 3_000,
      }),
    ),
  );
  const random = new RandomStream(seed, 'proxy-chaos');
  const result = { faults: {} as Record<string, number>, answered: 0, exhausted: 0, openAtFaults: 0 };
  const done = replicas.map(() => 0);
  const shards: number[] = [];
  for (let start = 0; start < images; start += SHARD_IMAGES) shards.push(start);
  let left = shards.length;
  const faultTimesMs: number[] = [];
  try {
    const workers = replicas.flatMap((replica, index) =>
      Array.from({ length: SHARDS_PER_REPLICA }, async () => {
        while (left > 0) {
          const start = shards.shift();
          if (start === undefined) {
            await delay(100);
            continue;
          }
          const count = Math.min(SHARD_IMAGES, images - start);
          try {
            const answered = await labelShard(replica, { run: 'chaos', start, count, budgetImages });
            if (answered < count) throw new Error(`${count - answered} images stayed without an answer`);
            result.answered += answered;
            done[index]!++;
            left--;
          } catch (error) {
            if ((error as { code?: string }).code === 'BUDGET_EXHAUSTED') {
              result.exhausted++;
              left--;
              continue;
            }
            // Whoever is free takes it up again.
            shards.push(start);
            await delay(200);
          }
        }
      }),
    );
    const faulting = (async () => {
      for (let fault = 0; fault < faults && left > 0; fault++) {
        const index = random.integer(replicas.length);
        const replica = replicas[index]!;
        const kind = (['kill', 'freeze', 'cut'] as const)[fault % 3]!;
        const awayMs = random.between(...options.awayMs);
        await waitFor(
          'calls under way',
          async () => (await teacher.summary()).openImages > 0 || left === 0,
          RECOVERY_TIMEOUT_MS,
        );
        const faultAtMs = Date.now();
        result.faults[kind] = (result.faults[kind] ?? 0) + 1;
        faultTimesMs.push(faultAtMs);
        const before = done[index]!;
        if (kind === 'kill') {
          await replica.kill();
          await replica.start();
        } else if (kind === 'freeze') {
          replica.child.kill('SIGSTOP');
          await delay(awayMs);
          replica.child.kill('SIGCONT');
        } else {
          replica.relay.cut();
          await delay(awayMs);
          replica.relay.mend();
        }
        await waitFor('the replica to label again', () => done[index]! > before || left === 0, RECOVERY_TIMEOUT_MS);
        say(`fault ${fault + 1}: ${kind} of ${replica.name}; ${left} shards left`);
      }
    })();
    await Promise.all([...workers, faulting]);
    const settledUsage = await waitFor(
      'all calls to have an end',
      async () => {
        const { lines } = await replicas[0]!.client.unary('Usage', { teacher: 'metered' });
        const counts = lines[0]!.counts!;
        return counts.unresolved === 0 || result.exhausted > 0 ? counts : undefined;
      },
      RECOVERY_TIMEOUT_MS,
    );
    const meter = await teacher.summary();
    const { calls } = await teacher.meter();
    for (const atMs of faultTimesMs) {
      // What left just before the fault comes in just after it.
      const open = calls.filter((call) => call.openedAtMs <= atMs + WAY_MS && (call.closedAtMs ?? Infinity) >= atMs);
      result.openAtFaults += open.reduce((sum, call) => sum + call.images, 0);
    }
    const { billed, settled, unknown, reasked, retried, asked } = settledUsage;
    return {
      ...result,
      metered: meter.images,
      distinct: meter.distinct,
      turnedAway: meter.turnedAway.length,
      billed,
      settled,
      unknown,
      reasked,
      retried,
      asked,
      seconds: Math.round((performance.now() - beganMs) / 1000),
    };
  } finally {
    await Promise.all(replicas.map((replica) => replica[Symbol.asyncDispose]()));
  }
}
