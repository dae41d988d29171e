import { execFile } from 'node:child_process';
import { mkdir, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { writeTinyFolder } from '../helpers/png-folder.js';
import { runCli } from '../helpers/run-cli.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

const run = promisify(execFile);

/** A disk of a few megabytes; undefined where this user may not mount one. */
async function smallDisk(
  folder: string,
  megabytes: number,
): Promise<(AsyncDisposable & { fill(leaveBytes?: number): Promise<void>; empty(): Promise<void> }) | undefined> {
  await mkdir(folder, { recursive: true });
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', folder]);
  } catch {
    return undefined;
  }
  const ballast = join(folder, 'ballast');
  return {
    async fill(leaveBytes = 0) {
      const { bavail, bsize } = await statfs(folder);
      await writeFile(ballast, Buffer.alloc(bavail * bsize - leaveBytes));
    },
    empty: () => rm(ballast),
    async [Symbol.asyncDispose]() {
      await run('umount', ['-l', folder]);
    },
  };
}

const LEFT_FOR_A_START_BYTES = 400 * 1024;
const LEFT_FOR_SOME_FILES_BYTES = 100 * 1024;

const RUN_FILE = `
teachers:
  fake: { adapter: fake, fake: { classes: 3 } }
run:
  images: { path: real }
  classes: 3
  synthesis: { images: 300, cvae: { epochs: 1 } }
  student: { network: lenet5-half, recipe: paper, epochs: 1, batch: 16 }
  engine: wasm
`;

describe('a full disk', () => {
  it('below the state folder - a typed error names it, and resume goes on once there is space', async ({ skip }) => {
    await using folder = await temporaryFolder();
    const place = join(folder.path, 'disk');
    await using disk = await smallDisk(place, 24);
    if (!disk) return skip('mounting a small disk needs more rights than this user has');
    await writeTinyFolder(join(folder.path, 'real'), 40, 3, 1);
    await writeFile(join(folder.path, 'run.yaml'), RUN_FILE);
    const state = ['--state', join(place, 'state')];
    const out = join(folder.path, 'out');
    // Made while there is space, so that it is the run that meets the full disk.
    expect((await runCli('runs', ...state)).exitCode).toBe(0);
    await disk.fill();
    const refused = await runCli('run', join(folder.path, 'run.yaml'), '--out', out, ...state);
    expect(refused.stderr).toMatch(new RegExp(`no space is left for ${place}`));
    expect(refused.stderr).not.toContain('    at ');
    expect(refused.exitCode).not.toBe(0);
    await disk.empty();
    await disk.fill(LEFT_FOR_A_START_BYTES);
    const full = await runCli('run', join(folder.path, 'run.yaml'), '--out', out, ...state);
    expect(full.stderr).toMatch(new RegExp(`no space is left for ${place}`));
    expect(full.exitCode).not.toBe(0);
    await disk.empty();
    const [, id] = /run ([0-9a-f]+) /.exec(full.stderr)!;
    const resumed = await runCli('resume', id!, ...state);
    expect(resumed.stderr).not.toContain('bbdistill:');
    expect(resumed.exitCode).toBe(0);
  });

  it('below the output folder - a typed error names it, and report writes the files once there is space', async ({
    skip,
  }) => {
    await using folder = await temporaryFolder();
    const place = join(folder.path, 'disk');
    await using disk = await smallDisk(place, 1);
    if (!disk) return skip('mounting a small disk needs more rights than this user has');
    await writeTinyFolder(join(folder.path, 'real'), 40, 3, 1);
    await writeFile(join(folder.path, 'run.yaml'), RUN_FILE);
    const state = ['--state', join(folder.path, 'state')];
    const again = () => runCli('run', join(folder.path, 'run.yaml'), '--out', join(place, 'out'), ...state);
    await disk.fill();
    const refused = await again();
    expect(refused.stderr).toMatch(new RegExp(`cannot write to the output folder ${place}`));
    expect(refused.exitCode).toBe(2);
    expect((await runCli('runs', ...state)).stdout).toContain('there are no runs yet');
    await disk.empty();
    await disk.fill(LEFT_FOR_SOME_FILES_BYTES);
    const full = await again();
    expect(full.stderr).toMatch(new RegExp(`cannot write to the output folder ${place}`));
    expect(full.exitCode).toBe(2);
    expect(full.stderr).toContain('the run succeeded and its files are kept');
    const files = await readdir(join(place, 'out'), { recursive: true });
    expect(files.filter((name) => name.endsWith('.partial'))).toEqual([]);
    await disk.empty();
    const [, id] = /bbdistill report ([0-9a-f]+) --out DIR/.exec(full.stderr)!;
    const written = await runCli('report', id!, '--out', join(folder.path, 'out'), ...state);
    expect(written.exitCode).toBe(0);
    expect(await readdir(join(folder.path, 'out', 'student'))).toContain('model.onnx');
  });
});
