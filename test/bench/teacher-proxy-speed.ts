import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  RandomStream,
  openEmbeddedStores,
  openNatsStores,
  pixelsPerImage,
  silentLogger,
  systemClock,
} from '@bbdistill/common';
import type { ImageBatch, Stores } from '@bbdistill/common';
import {
  CallLog,
  Claims,
  Coalescer,
  EmbeddedAnswerCache,
  FakeTeacher,
  Labeller,
  Ledger,
  SharedAnswerCache,
  SharedLimiter,
  UsageBook,
  parseTeacherConfig,
} from '@bbdistill/teacher-proxy';
import type { AnswerCache, QueryOutcome } from '@bbdistill/teacher-proxy';

export const SHAPE = { height: 28, width: 28, channels: 1 };
const IMAGES_PER_CALL = 20;
const LATENCY_MS = 5;

export function someImages(random: RandomStream, count: number): ImageBatch {
  const pixels = Uint8Array.from({ length: count * pixelsPerImage(SHAPE) }, () => random.integer(256));
  return { count, shape: SHAPE, pixels };
}

/** Answers at once, and knows when each call came and went. */
class TimedTeacher extends FakeTeacher {
  readonly times: { beganMs: number; endedMs: number }[] = [];

  override async query(images: ImageBatch): Promise<QueryOutcome> {
    const beganMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, LATENCY_MS));
    const answers = Array.from({ length: images.count }, () => ({
      ok: true as const,
      raw: new Float32Array(10).fill(0.1),
    }));
    this.times.push({ beganMs, endedMs: performance.now() });
    return { kind: 'answered', answers };
  }
}

interface OpenLabeller {
  labeller: Labeller;
  /** Gives slots back and stops to show life: to be called before the stores close. */
  close: () => Promise<void>;
}

function labellerOn(stores: Stores, cache: AnswerCache, teacher: FakeTeacher, name: string): OpenLabeller {
  const config = parseTeacherConfig(name, {
    adapter: 'fake',
    limits: { imagesPerCall: IMAGES_PER_CALL, concurrency: 1 },
  });
  const ledger = new Ledger(stores.state, name, config.price, {
    clock: systemClock,
    leaseMs: 35_000,
    hasPeers: stores.soleSession === undefined,
    ...(stores.marks && { marks: stores.marks }),
  });
  const living = async () => new Set(Object.keys(await ledger.holders()));
  const limiter = new SharedLimiter({
    teacher: name,
    limits: config.limits,
    state: stores.state,
    clock: systemClock,
    holder: 'bench',
    soleUser: stores.soleSession !== undefined,
    logger: silentLogger,
  });
  const labeller = new Labeller({
    config,
    teacher,
    cache,
    ledger,
    calls: new CallLog(stores.state),
    usage: new UsageBook(stores.state),
    limiter,
    coalescer: new Coalescer(),
    ...(stores.soleSession === undefined && { claims: new Claims(stores.state, name, living) }),
    clock: systemClock,
    random: new RandomStream(1, 'bench'),
    holder: 'bench',
    logger: silentLogger,
  });
  return {
    labeller,
    async close() {
      await labeller.close();
      await limiter.close();
      await ledger.close();
    },
  };
}

export interface Overhead {
  medianMs: number;
  p90Ms: number;
  calls: number;
}

/** What lies between the end of a call and the beginning of the next one, one call at a time. */
async function overheadOn(stores: Stores, cache: AnswerCache, calls: number): Promise<Overhead> {
  const teacher = new TimedTeacher();
  const { labeller, close } = labellerOn(stores, cache, teacher, 'overhead');
  const random = new RandomStream(7, 'bench');
  const gaps: number[] = [];
  for (let shard = 0; shard < calls / 50; shard++) {
    const first = teacher.times.length;
    const images = someImages(random, 50 * IMAGES_PER_CALL);
    await labeller.label({ run: 'bench', phase: 'mixup', budget: {}, classes: 10, images });
    const times = teacher.times.slice(first);
    gaps.push(...times.slice(1).map(({ beganMs }, n) => beganMs - times[n]!.endedMs));
  }
  await close();
  gaps.sort((a, b) => a - b);
  const at = (part: number) => gaps[Math.floor(gaps.length * part)]!;
  return { medianMs: at(0.5), p90Ms: at(0.9), calls: gaps.length };
}

export async function embeddedOverhead(folder: string, calls: number): Promise<Overhead> {
  const stores = await openEmbeddedStores({ folder: join(folder, 'embedded'), clock: systemClock });
  const cache = new EmbeddedAnswerCache(join(folder, 'embedded', 'answers'));
  const overhead = await overheadOn(stores, cache, calls);
  await cache.close();
  await stores.close();
  return overhead;
}

export async function natsOverhead(url: string, folder: string, calls: number): Promise<Overhead> {
  const stores = await openNatsStores({ servers: [url], replicas: 1, clock: systemClock, namespace: 'overhead' });
  const local = new EmbeddedAnswerCache(join(folder, 'nats-answers'));
  const cache = new SharedAnswerCache(local, stores.answers!, silentLogger);
  const overhead = await overheadOn(stores, cache, calls);
  await cache.close();
  await stores.close();
  return overhead;
}

/** Answers that only the shared bucket has, read for the first time. @returns images a second */
export async function coldFromBucket(url: string, folder: string, images: number): Promise<number> {
  const stores = await openNatsStores({ servers: [url], replicas: 1, clock: systemClock, namespace: 'cold' });
  const random = new RandomStream(3, 'bench');
  const batches = Array.from({ length: images / 1000 }, () => someImages(random, 1000));
  const teacher = new TimedTeacher();
  await mkdir(folder, { recursive: true });
  const caches = ['writer', 'reader'].map((name) => {
    const local = new EmbeddedAnswerCache(join(folder, `cold-${name}`));
    return new SharedAnswerCache(local, stores.answers!, silentLogger);
  });
  const [writer, reader] = caches.map((cache) => labellerOn(stores, cache, teacher, 'cold'));
  const raw = new Float32Array(10).fill(0.1);
  for (const batch of batches) {
    const keys = [...writer!.labeller.distinctKeys(batch).values()];
    await caches[0]!.putMany(keys.map((key) => ({ key, answer: { raw, unit: 'unit', callId: 'call' } })));
  }
  const beganMs = performance.now();
  for (const batch of batches) {
    const { counts } = await reader!.labeller.lookUp(batch, 10);
    if (counts.cached !== batch.count) throw new Error(`${batch.count - counts.cached} answers are missing`);
  }
  const seconds = (performance.now() - beganMs) / 1000;
  for (const cache of caches) await cache.close();
  await stores.close();
  return images / seconds;
}
