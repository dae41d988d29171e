import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startChild } from '../helpers/child.js';
import { CLI_SCRIPT, HELD_RUN, startCli, writeMeteredRun } from '../helpers/cli-process.js';
import { startMeteredTeacher } from '../helpers/metered-teacher.js';
import { writeTinyFolder } from '../helpers/png-folder.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { waitFor } from '../helpers/wait-for.js';

const REAL = 40;

describe('whoever read the output and is gone', () => {
  it('standard output - the command ends in order, without a word', async () => {
    await using folder = await temporaryFolder();
    await writeTinyFolder(folder.path, 6, 3, 1);
    await using child = startChild(process.execPath, [CLI_SCRIPT, 'dataset', 'describe', folder.path]);
    child.process.stdout!.destroy();
    expect(await child.ended).toBe(0);
    expect(child.errorOutput()).toBe('');
  });

  it('standard error - the results come all the same, and the exit code', async () => {
    await using folder = await temporaryFolder();
    const state = join(folder.path, 'state');
    await using child = startChild(process.execPath, [CLI_SCRIPT, 'resume', 'abc', '--state', state, '--json']);
    child.process.stderr!.destroy();
    expect(await child.ended).toBe(2);
    expect(child.lines.at(-1)).toContain('RUN_NOT_FOUND');
  });

  it.skipIf(!existsSync('/dev/full'))(
    'a file on a full disk - it is said on standard error and by the exit code',
    () => {
      const command = `"${process.execPath}" "${CLI_SCRIPT}" --version 2>&1 >/dev/full`;
      const { stdout, status } = spawnSync('sh', ['-c', command], { encoding: 'utf8' });
      expect(stdout).toMatch(/^standard output can't be written to: ENOSPC.*\n$/);
      expect(status).toBe(1);
    },
  );

  it('before a run is stopped - its calls under way are waited for, and none is in doubt', async () => {
    await using folder = await temporaryFolder();
    await using teacher = await startMeteredTeacher({ hold: true });
    const file = await writeMeteredRun(folder.path, teacher, { real: REAL, ...HELD_RUN });
    const state = join(folder.path, 'state');
    await using cli = startCli('run', file, '--state', state, '--out', join(folder.path, 'out'));
    const id = await cli.runId();
    await waitFor('calls held open', async () => (await teacher.meter()).open === 2, 30_000);
    // As `2>&1 | tee log` does, which the same Ctrl-C ends first.
    cli.child.process.stdout!.destroy();
    cli.child.process.stderr!.destroy();
    cli.child.kill('SIGINT');
    await teacher.control({ hold: false });
    expect(await cli.exitCode()).toBe(130);
    const { images } = await teacher.meter();
    expect(images).toBeLessThan(REAL);

    await using resumed = startCli('resume', id, '--state', state);
    expect(await resumed.exitCode()).toBe(0);
    expect(resumed.report().queries).toMatchObject({ asked: REAL, unknown: 0, reasked: 0 });
    expect((await teacher.meter()).images).toBe(REAL);
  });
});
