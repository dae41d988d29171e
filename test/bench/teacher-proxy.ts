// Measures what the paid path adds to a call, and how fast cached answers come. Run: npx tsx test/bench/teacher-proxy.ts
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  RandomStream,
  connect,
  openEmbeddedStores,
  pixelsPerImage,
  silentLogger,
  systemClock,
} from '@bbdistill/common';
import type { ImageBatch } from '@bbdistill/common';
import {
  CallLog,
  Coalescer,
  EmbeddedAnswerCache,
  FakeTeacher,
  Labeller,
  Ledger,
  SharedLimiter,
  UsageBook,
  parseTeacherConfig,
  startTeacherProxy,
} from '@bbdistill/teacher-proxy';
import type { QueryOutcome } from '@bbdistill/teacher-proxy';

const SHAPE = { height: 28, width: 28, channels: 1 };
const IMAGES_PER_CALL = 20;
const CALLS = 500;

const folder = await mkdtemp(join(tmpdir(), 'bbdistill-bench-'));
const stores = await openEmbeddedStores({ folder, clock: systemClock });
const random = new RandomStream(1, 'bench');

function someImages(count: number): ImageBatch {
  const pixels = Uint8Array.from({ length: count * pixelsPerImage(SHAPE) }, () => random.integer(256));
  return { count, shape: SHAPE, pixels };
}

function say(what: string, value: string): void {
  process.stdout.write(`${what.padEnd(62)}${value}\n`);
}

/** When each call reached the teacher and when it was answered, in ms. */
class TimedTeacher extends FakeTeacher {
  readonly times: { beganMs: number; endedMs: number }[] = [];

  override async query(images: ImageBatch): Promise<QueryOutcome> {
    const beganMs = performance.now();
    await new Promise((resolve) => setTimeout(resolve, 5));
    const answers = Array.from({ length: images.count }, () => ({
      ok: true as const,
      raw: new Float32Array(10).fill(0.1),
    }));
    this.times.push({ beganMs, endedMs: performance.now() });
    return { kind: 'answered', answers };
  }
}

const config = parseTeacherConfig('bench', {
  adapter: 'fake',
  limits: { imagesPerCall: IMAGES_PER_CALL, concurrency: 1 },
});
const teacher = new TimedTeacher();
const cache = new EmbeddedAnswerCache(join(folder, 'answers'));
const labeller = new Labeller({
  config,
  teacher,
  cache,
  ledger: new Ledger(stores.state, 'bench', config.price),
  calls: new CallLog(stores.state),
  usage: new UsageBook(stores.state),
  limiter: new SharedLimiter({
    teacher: 'bench',
    limits: config.limits,
    state: stores.state,
    clock: systemClock,
    holder: 'bench',
    soleUser: true,
    logger: silentLogger,
  }),
  coalescer: new Coalescer(),
  clock: systemClock,
  random,
  holder: 'bench',
  logger: silentLogger,
});

for (let shard = 0; shard < CALLS / 50; shard++) {
  const images = someImages(50 * IMAGES_PER_CALL);
  await labeller.label({ run: 'bench', phase: 'mixup', budget: {}, classes: 10, images });
}
const gaps = teacher.times.slice(1).map(({ beganMs }, n) => beganMs - teacher.times[n]!.endedMs);
gaps.sort((a, b) => a - b);
const at = (part: number) => gaps[Math.floor(gaps.length * part)]!.toFixed(2);
say(`between two calls, durable ledger (median, p90 of ${gaps.length})`, `${at(0.5)} ms, ${at(0.9)} ms`);

const images = someImages(1000);
await labeller.label({ run: 'warm', phase: 'mixup', budget: {}, classes: 10, images });
const beganMs = performance.now();
const rounds = 20;
for (let round = 0; round < rounds; round++) {
  await labeller.label({ run: `cached-${round}`, phase: 'mixup', budget: {}, classes: 10, images });
}
say('cached, label()', `${Math.round((rounds * images.count * 1000) / (performance.now() - beganMs))} images/s`);
await cache.close();

const proxy = await startTeacherProxy({
  stores,
  stateFolder: folder,
  address: '127.0.0.1:0',
  teachers: [parseTeacherConfig('bench-grpc', { adapter: 'fake', limits: { imagesPerCall: 1000 } })],
  logger: silentLogger,
});
const client = connect('bbdistill.v1.TeacherService', proxy.address);
async function stream(run: string, messages: number): Promise<void> {
  const header = { runId: run, teacher: 'bench-grpc', phase: 'PHASE_MIXUP', classes: 10, shape: SHAPE } as const;
  const requests = (async function* () {
    for (let n = 0; n < messages; n++) yield { ...header, pixels: images.pixels };
  })();
  for await (const { answered } of client.bidi('Label', requests)) {
    if (!answered.every(Boolean)) throw new Error('not answered');
  }
}
await stream('warm-grpc', 1);
const streamBeganMs = performance.now();
await stream('cached-grpc', rounds);
say(
  'cached, Label over gRPC',
  `${Math.round((rounds * images.count * 1000) / (performance.now() - streamBeganMs))} images/s`,
);
client.close();
await proxy.stop();
await stores.close();
await rm(folder, { recursive: true, force: true });
