import { inspect } from 'node:util';
import { expect, it } from 'vitest';
import { complaints } from '../chaos/proxy-books.js';
import { ProxyChaos } from '../chaos/proxy-chaos.js';
import { describeWithNats, startNatsServer } from '../helpers/nats-server.js';
import { startMeteredTeacher } from '../helpers/metered-teacher.js';
import { Replica, labelShard } from '../helpers/proxy-replicas.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { waitFor } from '../helpers/wait-for.js';

describeWithNats('teacher-proxy replicas', () => {
  it('killed, frozen and cut off - every image is answered, and what was paid twice was open at a fault', async () => {
    await using folder = await temporaryFolder();
    const work = { run: 'chaos', start: 0, images: 1_200, faults: 3, budgetImages: 2_400 };
    await using chaos = await ProxyChaos.start({
      folder: folder.path,
      replicas: 3,
      seed: 1,
      awayMs: [500, 1_500],
      load: {
        imagesPerShard: 100,
        imagesPerCall: 20,
        shardsPerReplica: 2,
        imagesPerSecond: 100,
        latencyMs: 150,
        timeoutMs: 2_000,
      },
    });
    const result = await chaos.run(work);
    expect(complaints(result, work), inspect(result)).toEqual([]);
    expect(result).toMatchObject({ answered: work.images, distinct: work.images, exhausted: 0 });
    expect(result.billed).toBe(result.settled + result.unknown);
  });

  it('killed, frozen and cut off while they spend from chunks of the budget - the books are right as well', async () => {
    await using folder = await temporaryFolder();
    const work = { run: 'chaos', start: 0, images: 4_000, faults: 3, budgetImages: 8_000 };
    await using chaos = await ProxyChaos.start({
      folder: folder.path,
      replicas: 3,
      seed: 2,
      awayMs: [500, 1_500],
      load: {
        imagesPerShard: 40,
        imagesPerCall: 1,
        shardsPerReplica: 4,
        imagesPerSecond: 2_000,
        latencyMs: 200,
        timeoutMs: 2_000,
        concurrency: 48,
        // More than what was just answered and isn't stored yet.
        openAtFault: 16,
        aheadPauseMs: 2_000,
      },
    });
    const result = await chaos.run(work);
    expect(complaints(result, work), inspect(result)).toEqual([]);
    expect(result).toMatchObject({ answered: work.images, distinct: work.images });
    expect(result.chunkHolders).toBeGreaterThan(0);
  });

  it('killed and started again in its folder - takes up its images at once, long before its lease has ended', async () => {
    await using folder = await temporaryFolder();
    await using nats = await startNatsServer();
    await using teacher = await startMeteredTeacher({ latencyMs: 5 });
    await using replica = await Replica.start('a', {
      natsPort: nats.port,
      namespace: 'again',
      folder: folder.path,
      teacher: {
        adapter: 'open-inference-http',
        url: teacher.url,
        model: teacher.model,
        limits: { imagesPerCall: 20, concurrency: 2, timeoutMs: 600_000 },
      },
    });
    await teacher.control({ hold: true });
    const shard = { run: 'run', start: 0, count: 100 };
    const interrupted = labelShard(replica, shard).catch(() => undefined);
    await waitFor('calls under way', async () => (await teacher.meter()).openImages === 40);
    await replica.kill();
    await interrupted;
    await teacher.control({ hold: false });
    await replica.start();
    expect(await labelShard(replica, shard)).toBe(100);
    expect(await teacher.meter()).toMatchObject({ distinct: 100, images: 140 });
  });

  it('the same images at the same time on two replicas - cost one query each; a budget below the need is never passed', async () => {
    await using folder = await temporaryFolder();
    await using nats = await startNatsServer();
    await using teacher = await startMeteredTeacher({ latencyMs: 20 });
    const options = {
      natsPort: nats.port,
      namespace: 'same',
      folder: folder.path,
      teacher: {
        adapter: 'open-inference-http',
        url: teacher.url,
        model: teacher.model,
        limits: { imagesPerCall: 20, concurrency: 8 },
      },
    };
    await using a = await Replica.start('a', options);
    await using b = await Replica.start('b', options);
    const both = [a, b].map((replica, n) => labelShard(replica, { run: `run-${n}`, start: 0, count: 300 }));
    expect(await Promise.all(both)).toEqual([300, 300]);
    expect(await teacher.meter()).toMatchObject({ images: 300, distinct: 300 });

    const poor = await Promise.allSettled(
      [a, b].map((replica, n) =>
        labelShard(replica, { run: 'poor', start: 1000 + n * 200, count: 200, budgetImages: 333 }),
      ),
    );
    expect(
      poor.some((each) => each.status === 'rejected' && (each.reason as { code: string }).code === 'BUDGET_EXHAUSTED'),
    ).toBe(true);
    expect((await teacher.meter()).images).toBe(300 + 333);
    const rich = [a, b].map((replica, n) =>
      labelShard(replica, { run: 'poor', start: 1000 + n * 200, count: 200, budgetImages: 400 }),
    );
    expect(await Promise.all(rich)).toEqual([200, 200]);
    expect(await teacher.meter()).toMatchObject({ images: 700, distinct: 700 });
  });
});
