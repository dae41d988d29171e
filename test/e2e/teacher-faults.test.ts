import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Report } from '@bbdistill/orchestrator';
import { writeMeteredRun } from '../helpers/cli-process.js';
import { startMeteredTeacher } from '../helpers/metered-teacher.js';
import type { MeteredMode } from '../helpers/metered-teacher.js';
import { runCli } from '../helpers/run-cli.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

const REAL = 40;
const CONCURRENCY = 2;
/** MAX_UNUSABLE_ANSWERS, and the calls under way when the last of them is seen. */
const MOST_PAID_IN_VAIN = 8 + 2 * CONCURRENCY;

async function startFaulty(mode: MeteredMode) {
  const folder = await temporaryFolder();
  const teacher = await startMeteredTeacher({ mode });
  // One image a call: the modes that spoil one image of a call spoil all.
  const shape = { real: REAL, synthetic: 0, imagesPerCall: 1, concurrency: CONCURRENCY, epochs: 1 };
  const file = await writeMeteredRun(folder.path, teacher, shape);
  const cli = (...args: string[]) => runCli(...args, '--state', join(folder.path, 'state'));
  return {
    teacher,
    run: () => cli('run', file, '--out', join(folder.path, 'out')),
    cli,
    async [Symbol.asyncDispose]() {
      await teacher[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

const idIn = (stderr: string) => /bbdistill resume ([0-9a-f]+)/.exec(stderr)![1]!;
const reportIn = (stdout: string) => (JSON.parse(stdout.trim().split('\n').at(-1)!) as { report: Report }).report;

describe('a faulty teacher', () => {
  const faults: { mode: MeteredMode; says: RegExp; mostPaid: number }[] = [
    { mode: 'nan', says: /NaN/, mostPaid: MOST_PAID_IN_VAIN },
    { mode: 'negative', says: /-0\.\d+|negative/, mostPaid: MOST_PAID_IN_VAIN },
    { mode: 'unnormalised', says: /sum to 3 instead of 1/, mostPaid: MOST_PAID_IN_VAIN },
    { mode: 'short', says: /answers 3 values an image, but the run has 4 classes/, mostPaid: 2 * CONCURRENCY },
    { mode: 'garbage', says: /can't be read: its JSON breaks off/, mostPaid: MOST_PAID_IN_VAIN },
    { mode: 'fail', says: /HTTP 500/, mostPaid: 0 },
    { mode: 'refuse', says: /not like this/, mostPaid: 0 },
  ];
  it('one fault after the other - each ends clearly and burns no budget; the run goes on once it is mended', async () => {
    await using faulty = await startFaulty(faults[0]!.mode);
    let paidInVain = 0;
    let id: string | undefined;
    for (const { mode, says, mostPaid } of faults) {
      await faulty.teacher.control({ mode });
      const { exitCode, stderr } = id === undefined ? await faulty.run() : await faulty.cli('resume', id, '--reask');
      expect(stderr).toMatch(says);
      expect(exitCode, mode).toBe(3);
      id = idIn(stderr);
      const { images } = await faulty.teacher.meter();
      expect(images - paidInVain, mode).toBeLessThanOrEqual(mostPaid);
      paidInVain = images;
    }
    await faulty.teacher.control({ mode: 'answer' });
    const resumed = await faulty.cli('resume', id!, '--reask', '--json');
    expect(resumed.exitCode).toBe(0);
    const { queries, notes } = reportIn(resumed.stdout);
    expect(queries).toMatchObject({ asked: REAL, billed: REAL + paidInVain, failed: 0, unresolved: 0, unknown: 0 });
    expect((await faulty.teacher.meter()).images).toBe(REAL + paidInVain);
    expect(notes).toEqual([]);
  });

  it('one that answers some images only - the run succeeds and says how many it learnt without', async () => {
    await using faulty = await startFaulty('answer');
    await faulty.teacher.control({ mode: 'nan', modeCalls: 5 });
    const { exitCode, stderr } = await faulty.run();
    expect(exitCode).toBe(0);
    expect(stderr).toContain('no usable answer for 5 of 40 images');
  });

  it('one that is not there - nothing is spent, and resume goes on once it is up', async () => {
    await using folder = await temporaryFolder();
    const state = ['--state', join(folder.path, 'state')];
    let port: number;
    let file: string;
    {
      await using gone = await startMeteredTeacher();
      port = gone.port;
      const shape = { real: REAL, synthetic: 0, imagesPerCall: 10, concurrency: CONCURRENCY, epochs: 1 };
      file = await writeMeteredRun(folder.path, gone, shape);
    }
    const first = await runCli('run', file, '--out', join(folder.path, 'out'), ...state);
    expect(first.stderr).toMatch(/"metered" can't be reached: .*start it, then resume \(nothing was charged\)/);
    expect(first.exitCode).toBe(5);
    await using teacher = await startMeteredTeacher({}, port);
    const resumed = await runCli('resume', idIn(first.stderr), '--json', ...state);
    expect(resumed.exitCode).toBe(0);
    expect(reportIn(resumed.stdout).queries).toMatchObject({ asked: REAL, billed: REAL, unknown: 0 });
    expect((await teacher.meter()).images).toBe(REAL);
  });
});
