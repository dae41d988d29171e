import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { connect } from '@bbdistill/common';
import { startCli, writeMeteredRun } from '../helpers/cli-process.js';
import { startDistributed } from '../helpers/distributed.js';
import { healthOf } from '../helpers/health.js';
import { startMeteredTeacher } from '../helpers/metered-teacher.js';
import { describeWithNats } from '../helpers/nats-server.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { waitFor } from '../helpers/wait-for.js';

const RUN = { real: 24, synthetic: 60, imagesPerCall: 5, concurrency: 2, epochs: 6 };

const sha256Of = async (file: string) =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex');

describeWithNats('services as processes on a real NATS', () => {
  it('distributed - gives the same student and bill as embedded mode, and downloads them', async () => {
    await using folder = await temporaryFolder();
    await using teacher = await startMeteredTeacher();
    const file = await writeMeteredRun(folder.path, teacher, RUN);
    await using embedded = startCli(
      'run',
      file,
      '--state',
      join(folder.path, 'state'),
      '--out',
      join(folder.path, 'a'),
    );
    expect(await embedded.exitCode(), embedded.child.errorOutput()).toBe(0);

    await using system = await startDistributed({ folder: folder.path, teacher, ...RUN });
    const remoteFile = join(folder.path, 'remote.yaml');
    const text = await readFile(file, 'utf8');
    await writeFile(remoteFile, text.slice(text.indexOf('run:')).replace('run:', 'run:\n  teacher: metered'));
    await using remote = startCli('run', remoteFile, '--orchestrator', system.address, '--out', join(folder.path, 'b'));
    expect(await remote.exitCode(), remote.child.errorOutput()).toBe(0);

    for (const name of ['student/weights.bin', 'student/model.onnx', 'student/soft-labels.jsonl']) {
      expect(await sha256Of(join(folder.path, 'b', name)), name).toBe(await sha256Of(join(folder.path, 'a', name)));
    }
    const [one, two] = [embedded.report(), remote.report()];
    expect(two.queries).toEqual(one.queries);
    expect(two.queries.billed).toBeGreaterThan(0);
    expect(two.accuracy).toBe(one.accuracy);
    expect((await teacher.meter()).images).toBe(2 * one.queries.billed);

    await system.nats.kill();
    await waitFor(
      'an orchestrator that is not ready',
      async () => (await healthOf(system.address, '')) === 'NOT_SERVING',
    );
    expect(await healthOf(system.address, 'liveness')).toBe('SERVING');
    await system.nats.start();
    await waitFor('an orchestrator that is ready', async () => (await healthOf(system.address, '')) === 'SERVING');
    const client = connect('bbdistill.v1.DistillationService', system.address);
    expect((await client.unary('ListRuns', {})).runs.map(({ state }) => state)).toEqual(['RUN_STATE_SUCCEEDED']);
    client.close();
  });
});
