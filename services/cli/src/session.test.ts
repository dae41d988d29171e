import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ConfigError, silentLogger } from '@bbdistill/common';
import type { GpuWish } from '@bbdistill/compute';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { runCli } from '../../../test/helpers/run-cli.js';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.js';
import type { TemporaryFolder } from '../../../test/helpers/temporary-folder.js';
import { startEmbedded } from './embedded.js';
import { openSession } from './session.js';

vi.mock(import('./embedded.js'), () => ({ startEmbedded: vi.fn() }));

const NOBODY = '127.0.0.1:1';
const RUN = '0123456789ab';

let folder: TemporaryFolder;
beforeEach(async () => {
  folder = await temporaryFolder();
  vi.mocked(startEmbedded).mockResolvedValue({
    orchestratorAddress: NOBODY,
    interruptedRuns: [],
    stop: () => Promise.resolve(),
  });
});
afterEach(() => folder[Symbol.asyncDispose]());

const open = (over: Partial<Parameters<typeof openSession>[0]>) =>
  openSession({ stateFolder: folder.path, teachers: [], logger: silentLogger, ...over });

async function rememberRun(gpu?: GpuWish): Promise<void> {
  const session = await open(gpu ? { gpu } : {});
  expect(await session.rememberOutput(RUN, 'results')).toBe(true);
  expect(await session.outputOf(RUN)).toBe(join(process.cwd(), 'results'));
  await session.close();
}

/** The wish that `resume` starts the services with; nobody answers it then. */
async function wishOfResume(...argv: string[]): Promise<GpuWish> {
  vi.mocked(startEmbedded).mockRejectedValue(new ConfigError('started'));
  expect((await runCli('resume', RUN, ...argv, '--state', folder.path)).stderr).toMatch('started');
  return vi.mocked(startEmbedded).mock.lastCall![0].gpu;
}

describe('a wish for a GPU', () => {
  it.each<GpuWish>(['never', 'required', 'preferred'])('resume goes on with gpu: %s, as the run began', async (gpu) => {
    await rememberRun(gpu);
    expect(await wishOfResume()).toBe(gpu);
  });

  it('resume with a run file takes what that says, and with one of teachers what the run began with', async () => {
    await rememberRun('never');
    const teachers = 'teachers: { mine: { adapter: fake } }\n';
    await writeFile(join(folder.path, 'teachers.yaml'), teachers);
    await writeFile(
      join(folder.path, 'run.yaml'),
      `${teachers}run: { images: { path: . }, classes: 3, gpu: required }\n`,
    );
    expect(await wishOfResume(join(folder.path, 'teachers.yaml'))).toBe('never');
    expect(await wishOfResume(join(folder.path, 'run.yaml'))).toBe('required');
  });

  it.each([
    ['that is a path, as older versions wrote it', '/some/where'],
    ['without a wish', '{"folder":"/some/where"}'],
    ['with a wish that nobody knows', '{"folder":"/some/where","gpu":"maybe"}'],
  ])('a note %s still says where results go', async (_, note) => {
    await mkdir(join(folder.path, 'outputs'));
    await writeFile(join(folder.path, 'outputs', RUN), note);
    expect(await (await open({})).outputOf(RUN)).toBe('/some/where');
    expect(await wishOfResume()).toBe('preferred');
  });

  it('resume knows a run without a note, or with one that is cut off', async () => {
    expect(await wishOfResume()).toBe('preferred');
    await mkdir(join(folder.path, 'outputs'));
    await writeFile(join(folder.path, 'outputs', RUN), '{"folder":');
    expect(await wishOfResume()).toBe('preferred');
  });

  it.each<GpuWish>(['required', 'never'])('gpu: %s is refused where the services are elsewhere', async (gpu) => {
    const refused = open({ remote: { address: NOBODY }, gpu });
    await expect(refused).rejects.toThrow(ConfigError);
    await expect(refused).rejects.toThrow(
      new RegExp(`run\\.gpu is ${gpu}.*trainer .*BBDISTILL_GPU.*leave run\\.gpu out`),
    );
  });
});
