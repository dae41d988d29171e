import { expect, it } from 'vitest';
import { runProxyChaos } from '../chaos/proxy-chaos.js';
import { describeWithNats, startNatsServer } from '../helpers/nats-server.js';
import { startMeteredTeacher } from '../helpers/metered-teacher.js';
import { Replica, labelShard } from '../helpers/proxy-replicas.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

describeWithNats('teacher-proxy replicas', () => {
  it('killed, frozen and cut off - every image is answered, and what was paid twice was open at a fault', async () => {
    await using folder = await temporaryFolder();
    const images = 1_200;
    const result = await runProxyChaos({
      folder: folder.path,
      images,
      replicas: 3,
      faults: 3,
      seed: 1,
      awayMs: [500, 1_500],
      imagesPerSecond: 100,
      budgetImages: 2 * images,
    });
    expect(result).toMatchObject({ answered: images, distinct: images, exhausted: 0, turnedAway: 0 });
    expect(result.metered - result.distinct).toBeLessThanOrEqual(result.openAtFaults);
    expect(result.billed).toBeGreaterThanOrEqual(result.metered);
    expect(result.unknown).toBeLessThanOrEqual(result.openAtFaults);
    expect(result.billed).toBe(result.settled + result.unknown);
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
