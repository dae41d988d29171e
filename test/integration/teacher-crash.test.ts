import { fileURLToPath } from 'node:url';
import { connect } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { startChild } from '../helpers/child.js';
import { startMeteredTeacher } from '../helpers/metered-teacher.js';
import type { MeteredTeacher } from '../helpers/metered-teacher.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { waitFor } from '../helpers/wait-for.js';

const SCRIPT = fileURLToPath(new URL('../fixtures/teachers/label-process.mjs', import.meta.url));
const IMAGES = 600;
const IMAGES_PER_CALL = 20;
const CONCURRENCY = 4;

interface UsageLine {
  phase: string;
  counts: Record<
    'asked' | 'cached' | 'coalesced' | 'billed' | 'failed' | 'unresolved' | 'settled' | 'unknown' | 'reasked',
    number
  >;
}

interface LabelOutcome {
  answers?: { images: number; unanswered: number };
  counts?: UsageLine['counts'];
  failed?: string;
}

function startLabelling(folder: string, teacher: MeteredTeacher, budget: object) {
  const task = {
    folder,
    run: 'run-1',
    images: IMAGES,
    shardImages: 200,
    budget,
    teacher: {
      adapter: 'open-inference-http',
      url: teacher.url,
      model: teacher.model,
      limits: { imagesPerCall: IMAGES_PER_CALL, concurrency: CONCURRENCY },
      price: { perImage: 0.001 },
    },
  };
  const child = startChild(process.execPath, [SCRIPT, JSON.stringify(task)]);
  const json = async <T>(word: string) => JSON.parse((await child.line(new RegExp(`^${word} (.*)$`), 60_000))[1]!) as T;
  return {
    child,
    usage: () => json<UsageLine[]>('usage'),
    results: () => json<LabelOutcome[]>('results'),
    /** Settled images, as the ledger has them now. */
    async settledNow() {
      const client = connect('bbdistill.v1.TeacherService', await json<string>('listening'));
      const { lines } = await client.unary('Usage', { teacher: 'metered' });
      client.close();
      return lines[0]?.counts?.settled ?? 0;
    },
  };
}

function expectIdentity({ counts }: UsageLine): void {
  const { asked, reasked, cached, coalesced, billed, failed, unresolved, settled, unknown } = counts;
  expect(asked + reasked).toBe(cached + coalesced + billed + failed + unresolved);
  expect(billed).toBe(settled + unknown);
}

describe('teacher crash', () => {
  it('kill -9 with calls open - only their images are asked again, and the ledger shows them as unknown', async () => {
    await using folder = await temporaryFolder();
    await using teacher = await startMeteredTeacher({ latencyMs: 5 });
    const budget = { images: 2 * IMAGES };
    const first = startLabelling(folder.path, teacher, budget);
    await using firstChild = first.child;
    await waitFor('some answers', async () => (await teacher.meter()).images >= 160, 30_000);
    await teacher.control({ hold: true });
    const atKill = await waitFor('all places held open', async () => {
      const meter = await teacher.meter();
      return meter.open === CONCURRENCY && meter;
    });
    await waitFor('what was answered before to be settled', async () => {
      const { images, openImages } = await teacher.meter();
      return (await first.settledNow()) === images - openImages;
    });
    firstChild.kill('SIGKILL');
    expect(await firstChild.ended).toBe('SIGKILL');
    await teacher.control({ hold: false, latencyMs: 0 });

    const second = startLabelling(folder.path, teacher, budget);
    await using secondChild = second.child;
    const results = await second.results();
    const [usage] = await second.usage();
    expect(await secondChild.ended).toBe(0);

    const meter = await teacher.meter();
    expect(meter.distinct).toBe(IMAGES);
    expect(meter.images).toBe(IMAGES + atKill.openImages);
    expect(usage!.counts).toMatchObject({
      asked: IMAGES,
      settled: IMAGES,
      unknown: atKill.openImages,
      billed: meter.images,
      reasked: atKill.openImages,
      cached: 0,
      unresolved: 0,
      failed: 0,
    });
    expectIdentity(usage!);
    const sum = (key: keyof UsageLine['counts']) =>
      results.reduce((total, { counts }) => total + (counts?.[key] ?? 0), 0);
    expect(sum('asked')).toBe(IMAGES);
    expect(sum('settled')).toBe(IMAGES);
    expect(results.every(({ answers }) => answers?.unanswered === 0)).toBe(true);
  });

  it('kill -9 again and again - the ledger never has less than the meter, and every image ends answered', async () => {
    await using folder = await temporaryFolder();
    await using teacher = await startMeteredTeacher({ latencyMs: 8 });
    const budget = { images: 3 * IMAGES };
    let mayBeLost = 0;
    for (let kill = 1; kill <= 3; kill++) {
      const before = (await teacher.meter()).images;
      await using child = startLabelling(folder.path, teacher, budget).child;
      await waitFor('more answers', async () => (await teacher.meter()).images >= before + 100, 30_000);
      child.kill('SIGKILL');
      await child.ended;
      // What was open at the teacher, and one call that it had answered.
      mayBeLost += (CONCURRENCY + 1) * IMAGES_PER_CALL;
    }
    const last = startLabelling(folder.path, teacher, budget);
    await using child = last.child;
    const [usage] = await last.usage();
    await child.ended;
    const meter = await teacher.meter();
    expect(meter.distinct).toBe(IMAGES);
    expect(usage!.counts.settled).toBe(IMAGES);
    expect(usage!.counts.billed).toBeGreaterThanOrEqual(meter.images);
    expect(usage!.counts.unknown).toBeLessThanOrEqual(mayBeLost);
    expect(usage!.counts.asked).toBe(IMAGES);
    expectIdentity(usage!);
  });

  it('a budget below the need - is spent exactly, and a larger one finishes', async () => {
    await using folder = await temporaryFolder();
    await using teacher = await startMeteredTeacher();
    const poor = startLabelling(folder.path, teacher, { images: 333 });
    await using poorChild = poor.child;
    const results = await poor.results();
    await poorChild.ended;
    expect(results.some(({ failed }) => failed === 'BUDGET_EXHAUSTED')).toBe(true);
    expect((await teacher.meter()).images).toBe(333);

    const rich = startLabelling(folder.path, teacher, { images: IMAGES });
    await using richChild = rich.child;
    const [usage] = await rich.usage();
    await richChild.ended;
    expect(await teacher.meter()).toMatchObject({ images: IMAGES, distinct: IMAGES });
    expect(usage!.counts).toMatchObject({ asked: IMAGES, settled: IMAGES, billed: IMAGES, unknown: 0, cached: 0 });
    expectIdentity(usage!);
  });
});
