import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Report } from '@bbdistill/orchestrator';
import { describe, expect, it } from 'vitest';
import { writeTinyFolder } from '../helpers/png-folder.js';
import { runCli } from '../helpers/run-cli.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

const RUN_FILE = `
teachers:
  fake: { adapter: fake, fake: { classes: 3 } }
run:
  name: tiny
  images: { path: real }
  test: { path: test, labels: folder }
  classes: 3
  synthesis: { images: 90, cvae: { epochs: 3, batch: 16 } }
  student: { network: lenet5-half, recipe: paper, epochs: 2, batch: 16 }
  budget: { images: 200 }
`;

describe('a run on the tensorflow engine', () => {
  it('fits, trains and evaluates in processes beside the services', async () => {
    await using folder = await temporaryFolder();
    await writeTinyFolder(join(folder.path, 'real'), 30, 3, 1);
    await writeTinyFolder(join(folder.path, 'test'), 24, 3, 2);
    const file = join(folder.path, 'run.yaml');
    await writeFile(file, RUN_FILE);
    const out = join(folder.path, 'out');
    const flags = ['--state', join(folder.path, 'state'), '--out', out, '--run.engine', 'tensorflow'];
    const { exitCode, stderr } = await runCli('run', file, ...flags);
    expect(stderr).not.toContain('bbdistill:');
    expect(exitCode).toBe(0);
    const report = JSON.parse(await readFile(join(out, 'report.json'), 'utf8')) as Report;
    expect(report.run.status).toBe('succeeded');
    expect(report.student.engine).toMatch(/^tensorflow: @tensorflow\/tfjs-node 4\.\d+\.\d+, TensorFlow 2\.\d+/);
    expect(report.accuracy).toBeGreaterThan(0);
  });

  it('refuses a GPU that is required and not there, before anything is asked', async () => {
    await using folder = await temporaryFolder();
    await writeTinyFolder(join(folder.path, 'real'), 3, 3, 1);
    const file = join(folder.path, 'run.yaml');
    await writeFile(file, RUN_FILE.replace(/ {2}test: .*\n/, ''));
    const flags = ['--state', join(folder.path, 'state'), '--run.gpu', 'required'];
    const { exitCode, stderr } = await runCli('run', file, ...flags);
    expect(stderr).toMatch(
      /gpu: required, but no engine on a GPU could be had .*GPU devices: .*setup:gpu|NVIDIA driver/s,
    );
    expect(exitCode).toBe(2);
  });
});
