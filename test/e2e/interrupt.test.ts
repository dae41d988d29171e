import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { startChild } from '../helpers/child.js';
import { CLI_SCRIPT, HELD_RUN, startCli, writeMeteredRun } from '../helpers/cli-process.js';
import { startMeteredTeacher } from '../helpers/metered-teacher.js';
import { Screen } from '../helpers/screen.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { waitFor } from '../helpers/wait-for.js';

const CTRL_C = '\u0003';
const isThere = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
const REAL = 40;
const SYNTHETIC = 60;
/** From Ctrl-C to the last call that may begin. */
const MAX_REACTION_MS = 1_000;

describe('Ctrl-C', () => {
  it('stops spending, ends with 130, says how to resume; resume finishes without paying twice', async () => {
    await using folder = await temporaryFolder();
    await using teacher = await startMeteredTeacher({ latencyMs: 150 });
    const file = await writeMeteredRun(folder.path, teacher, {
      real: REAL,
      synthetic: SYNTHETIC,
      imagesPerCall: 2,
      concurrency: 2,
      epochs: 2,
    });
    const state = join(folder.path, 'state');
    await using cli = startCli('run', file, '--state', state, '--out', join(folder.path, 'out'));
    const id = await cli.runId();
    await waitFor('some answers', async () => (await teacher.meter()).images >= 10, 30_000);
    const signalledAtMs = Date.now();
    cli.child.kill('SIGINT');
    expect(await cli.exitCode()).toBe(130);
    const atExit = await teacher.meter();
    expect(atExit.open).toBe(0);
    const lastOpenedAtMs = Math.max(...atExit.calls.map((call) => call.openedAtMs));
    expect(lastOpenedAtMs - signalledAtMs).toBeLessThan(MAX_REACTION_MS);
    expect(atExit.images).toBeLessThan(REAL);
    expect(cli.child.errorOutput()).toMatch(/nothing more is asked.*again to leave at once/s);
    expect(cli.child.errorOutput()).toContain('the run was cancelled: nothing more is spent');
    expect(cli.child.errorOutput()).toContain(`bbdistill resume ${id} --state ${state}`);
    expect(cli.events().at(-1)).toMatchObject({ state: 'RUN_STATE_CANCELLED' });

    await teacher.control({ latencyMs: 0 });
    await using resumed = startCli('resume', id, '--state', state);
    expect(await resumed.exitCode()).toBe(0);
    const meter = await teacher.meter();
    expect(meter.images).toBe(meter.distinct);
    expect(resumed.report().queries).toMatchObject({ asked: REAL + SYNTHETIC, billed: meter.images, unknown: 0 });
  });

  it('twice - leaves at once even while the teacher keeps a call; what is in doubt is shown as unknown', async () => {
    await using folder = await temporaryFolder();
    await using teacher = await startMeteredTeacher({ hold: true });
    const file = await writeMeteredRun(folder.path, teacher, { real: REAL, ...HELD_RUN });
    const state = join(folder.path, 'state');
    await using cli = startCli('run', file, '--state', state, '--out', join(folder.path, 'out'));
    const id = await cli.runId();
    await waitFor('calls held open', async () => (await teacher.meter()).open === 2, 30_000);
    cli.child.kill('SIGINT');
    await waitFor('word of the first', () => cli.child.errorOutput().includes('nothing more is asked'));
    const secondAtMs = performance.now();
    cli.child.kill('SIGINT');
    // As any program that Ctrl-C ends; a shell shows 130.
    expect(await cli.exitCode()).toBe('SIGINT');
    expect(performance.now() - secondAtMs).toBeLessThan(1_000);
    expect((await teacher.meter()).images).toBe(8);

    await teacher.control({ hold: false });
    await using resumed = startCli('resume', id, '--state', state);
    expect(await resumed.exitCode()).toBe(0);
    expect(resumed.report().queries).toMatchObject({ asked: REAL, unknown: 8, reasked: 8 });
    expect((await teacher.meter()).images).toBe(REAL + 8);
  });

  it.skipIf(!isThere('script'))('on a terminal - the word of it stays while bars are drawn', async () => {
    await using folder = await temporaryFolder();
    await using teacher = await startMeteredTeacher({ hold: true });
    const file = await writeMeteredRun(folder.path, teacher, { real: REAL, ...HELD_RUN });
    const flags = `--state "${join(folder.path, 'state')}" --out "${join(folder.path, 'out')}"`;
    const command = `stty cols 80; exec "${process.execPath}" "${CLI_SCRIPT}" run "${file}" ${flags}`;
    await using child = startChild('script', ['-qefc', command, '/dev/null']);
    const screen = new Screen(80);
    child.process.stdout!.on('data', (data: Buffer) => screen.write(data));
    const shown = () => screen.text.replaceAll(/\s+/g, ' ');
    await waitFor('a bar', () => shown().includes('label-'), 30_000);
    await waitFor('calls held open', async () => (await teacher.meter()).open === 2, 30_000);
    child.process.stdin!.write(CTRL_C);
    await waitFor('word of it', () => shown().includes('again to leave at once'));
    await teacher.control({ hold: false });
    expect(await child.ended).toBe(130);
    expect(shown()).toMatch(
      /stopping: nothing more is asked, calls under way are waited for; Ctrl-C again to leave at once label-.*the run was cancelled/,
    );
  });
});
