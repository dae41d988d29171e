import { afterAll, beforeAll, expect, it } from 'vitest';
import { connect, patiently, systemClock } from '@bbdistill/common';
import type { ServiceClient } from '@bbdistill/common';
import type { Run__Output } from '@bbdistill/common/gen/bbdistill/v1/Run.js';
import type { RunEvent__Output } from '@bbdistill/common/gen/bbdistill/v1/RunEvent.js';
import { SCAN_INTERVAL_MS } from '../../services/orchestrator/src/driver.js';
import { LEASE_MS } from '../../services/orchestrator/src/stages.js';
import type { LocalProcess } from '../../deploy/local/process.js';
import type { LocalSystem } from '../../deploy/local/system.js';
import { uploadImages } from '../../services/cli/src/upload.js';
import { chaosImages, chaosSpec } from '../chaos/runs.js';
import { startCuttableProxy } from '../helpers/cuttable-proxy.js';
import type { CuttableProxy } from '../helpers/cuttable-proxy.js';
import { startDistributed } from '../helpers/distributed.js';
import { startMeteredTeacher } from '../helpers/metered-teacher.js';
import type { MeteredTeacher } from '../helpers/metered-teacher.js';
import { describeWithNats } from '../helpers/nats-server.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import type { TemporaryFolder } from '../helpers/temporary-folder.js';
import { waitFor } from '../helpers/wait-for.js';

const WAIT_MS = 90_000;

type Orchestrator = ServiceClient<'bbdistill.v1.DistillationService'>;

describeWithNats('two orchestrators', () => {
  let folder: TemporaryFolder;
  let teacher: MeteredTeacher;
  let proxy: CuttableProxy;
  let system: LocalSystem;
  let second: LocalProcess;
  /** The first one's way to NATS can be cut. */
  let first: Orchestrator;
  let other: Orchestrator;
  let images: string;

  beforeAll(async () => {
    folder = await temporaryFolder();
    teacher = await startMeteredTeacher();
    proxy = await startCuttableProxy();
    system = await startDistributed({
      folder: folder.path,
      teacher,
      imagesPerCall: 5,
      concurrency: 2,
      env: { BBDISTILL_ENGINE: 'wasm' },
      natsUrlFor(name, natsUrl) {
        if (name !== 'orchestrator') return natsUrl;
        proxy.target('127.0.0.1', Number(new URL(natsUrl).port));
        return `nats://127.0.0.1:${proxy.port}`;
      },
    });
    second = system.another('orchestrator', 'second-orchestrator');
    await second.start();
    first = connect('bbdistill.v1.DistillationService', system.address);
    other = connect('bbdistill.v1.DistillationService', second.address);
    const upload = { images: chaosImages() };
    images = (await uploadImages(first, upload, new AbortController().signal)).id;
  }, WAIT_MS);

  afterAll(async () => {
    first?.close();
    other?.close();
    await second?.stop();
    await system?.stop();
    for (const each of [proxy, teacher, folder]) await each?.[Symbol.asyncDispose]();
  });

  /** A run that the first one drives and that waits for the teacher. */
  async function aRunThatWaits(seed: number): Promise<Run__Output> {
    await teacher.control({ hold: true });
    const { id } = await first.unary('CreateRun', { requestId: `takeover-${seed}`, spec: chaosSpec(images, seed) });
    await waitFor('an open call', async () => (await teacher.meter()).open > 0, WAIT_MS);
    return other.unary('GetRun', { runId: id });
  }

  async function takenOver(before: Run__Output): Promise<Run__Output> {
    return waitFor(
      'the other driver',
      async () => {
        const run = await other.unary('GetRun', { runId: before.id });
        return run.epoch > before.epoch && run;
      },
      WAIT_MS,
    );
  }

  async function endOf(run: Run__Output): Promise<{ run: Run__Output; events: RunEvent__Output[] }> {
    await teacher.control({ hold: false });
    await waitFor('the end', async () => (await other.unary('GetRun', { runId: run.id })).endedAtMs > 0, WAIT_MS);
    const events: RunEvent__Output[] = [];
    for await (const event of other.serverStream('WatchRun', { runId: run.id })) events.push(event);
    return { run: await other.unary('GetRun', { runId: run.id }), events };
  }

  const drivers = (events: RunEvent__Output[]) =>
    events.flatMap(({ message }) => (message?.startsWith('driven by') ? [/ (\S+), epoch/.exec(message)![1]!] : []));

  it('lease - a takeover takes less than ten seconds', () => {
    expect(LEASE_MS + SCAN_INTERVAL_MS).toBeLessThan(10_000);
  });

  it.each([
    ['a split network', 100, () => proxy.cut(), () => proxy.heal()],
    [
      'a frozen process',
      200,
      () => system.services.orchestrator.signal('SIGSTOP'),
      () => system.services.orchestrator.signal('SIGCONT'),
    ],
  ])(
    'takeover - after %s the other one drives, the first changes nothing any more',
    async (_what, seed, split, heal) => {
      const before = await aRunThatWaits(seed);
      const watched: RunEvent__Output[] = [];
      const watching = (async () => {
        for await (const event of other.serverStream('WatchRun', { runId: before.id })) watched.push(event);
      })();
      split();
      const during = await takenOver(before);
      heal();
      // The first one is there again before the run goes on, and could do harm if it wanted to.
      await patiently(() => first.unary('GetRun', { runId: before.id }), { clock: systemClock });
      const { run, events } = await endOf(before);
      await watching;
      expect(run.state).toBe('RUN_STATE_SUCCEEDED');
      expect(run.epoch).toBe(during.epoch);
      expect(drivers(events)).toEqual([before.driver, during.driver]);
      expect(watched).toEqual(events);
      expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, index) => index + 1));
      expect(events.at(-1)?.state).toBe('RUN_STATE_SUCCEEDED');
      const { images: metered, distinct } = await teacher.meter();
      expect(metered).toBe(distinct);
    },
  );

  it('cancel - by the orchestrator that does not drive it ends the calls and the jobs', async () => {
    const before = await aRunThatWaits(300);
    await other.unary('CancelRun', { runId: before.id });
    const calls = (await teacher.meter()).calls.length;
    await teacher.control({ hold: false });
    const { run } = await endOf(before);
    expect(run.state).toBe('RUN_STATE_CANCELLED');
    expect((await teacher.meter()).calls.length).toBe(calls);
  });
});
