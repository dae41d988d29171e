import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { startCli, writeMeteredRun } from '../helpers/cli-process.js';
import type { CliProcess } from '../helpers/cli-process.js';
import { startMeteredTeacher } from '../helpers/metered-teacher.js';
import type { MeteredTeacher } from '../helpers/metered-teacher.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { waitFor } from '../helpers/wait-for.js';

type WhileAsking = (teacher: MeteredTeacher, cli: CliProcess) => Promise<void>;

const WAIT_MS = 200_000;
/** One shard more than the proxy has in hand at once, so that the first ones are done before the last. */
const RUN = { real: 24, synthetic: 5 * 1024, imagesPerCall: 50, epochs: 1, extra: 'overlap: true' };
/** Shards in hand get their answers by turns: when the fifth has got this far, the first is done. */
const FIRST_SHARDS_DONE = 24 + 4 * 1024 + 500;

it('overlap - training begins before all is answered; how fast answers come never changes the student', async () => {
  await using folder = await temporaryFolder();
  const run = async (name: string, latencyMs: number, concurrency: number, whileAsking: WhileAsking) => {
    await using teacher = await startMeteredTeacher({ latencyMs });
    const base = join(folder.path, name);
    const file = await writeMeteredRun(base, teacher, { ...RUN, concurrency });
    await using cli = startCli('run', file, '--state', join(base, 'state'), '--out', join(base, 'out'));
    await whileAsking(teacher, cli);
    expect(await cli.exitCode(), cli.child.errorOutput()).toBe(0);
    const { images } = await teacher.meter();
    expect(cli.report().queries.billed).toBe(images);
    return { weights: await readFile(join(base, 'out/student/weights.bin')), events: cli.events() };
  };
  const slow = await run('slow', 20, 1, async (teacher, cli) => {
    const isFarEnough = async () => (await teacher.meter()).images > FIRST_SHARDS_DONE;
    await waitFor('answers of the fifth shard', isFarEnough, WAIT_MS);
    await teacher.control({ hold: true });
    // The teacher is silent until the training has begun.
    await cli.event('a training', ({ stage }) => stage?.name === 'train' && stage.state === 'JOB_STATE_RUNNING');
    await teacher.control({ hold: false });
  });
  const fast = await run('fast', 0, 4, async () => undefined);
  expect(Buffer.compare(slow.weights, fast.weights)).toBe(0);
  const at = (stage: string, state: string) =>
    slow.events.findIndex((event) => event.stage?.name === stage && event.stage.state === state);
  expect(at('train', 'JOB_STATE_RUNNING')).toBeGreaterThan(0);
  expect(at('train', 'JOB_STATE_RUNNING')).toBeLessThan(at('label-mixup', 'JOB_STATE_SUCCEEDED'));
});
