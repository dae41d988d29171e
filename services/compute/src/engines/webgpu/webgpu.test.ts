import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { engineContract } from '../../../../../test/helpers/engine-contract.js';
import { temporaryFolder } from '../../../../../test/helpers/temporary-folder.js';
import { createEngine } from '../select.js';
import { createWebgpuEngine } from './engine.js';
import { findWebgpuPackages } from './packages.js';

/** A folder whose node_modules has the packages: nothing installs them here, and they want a driver. */
const FOLDER = process.env['BBDISTILL_TEST_WEBGPU_FOLDER'];
const TIMEOUT_MS = 120_000;

describe('webgpu engine - refusals', () => {
  it('names the packages that are not installed and how to have them', async () => {
    await using folder = await temporaryFolder();
    expect(() => findWebgpuPackages(join(folder.path, 'package.json'))).toThrow(
      'webgpu, @tensorflow/tfjs, @tensorflow/tfjs-backend-webgpu are not installed; npm install webgpu @tensorflow/tfjs',
    );
  });

  it('says why a package does not load', async () => {
    const packages = { webgpu: '/nowhere/webgpu.js', tfjs: '/nowhere/tfjs.js', backend: '/nowhere/backend.js' };
    await expect(createWebgpuEngine('preferred', packages)).rejects.toMatchObject({
      code: 'ENGINE_NOT_LOADED',
      message: expect.stringContaining('webgpu does not load') as string,
    });
  });

  it('is a GPU engine: it contradicts gpu never', async () => {
    await expect(createEngine('webgpu', 'never')).rejects.toThrow(/webgpu needs a GPU, but gpu is 'never'/);
  });
});

describe.runIf(FOLDER)('webgpu engine - needs BBDISTILL_TEST_WEBGPU_FOLDER', { timeout: TIMEOUT_MS }, () => {
  const packages = () => findWebgpuPackages(pathToFileURL(join(FOLDER ?? '', 'package.json')));
  engineContract('webgpu engine', async () => ({ engine: await createWebgpuEngine('preferred', packages()) }));

  it('names its adapter, and a software one is no GPU', async () => {
    const { description } = await createWebgpuEngine('preferred', packages());
    expect(description).toMatch(/^webgpu: @tensorflow\/tfjs-backend-webgpu \d+\.\d+\.\d+ on Dawn, on \S/);
    const required = createWebgpuEngine('required', packages());
    if (description.includes('software')) await expect(required).rejects.toMatchObject({ code: 'GPU_NOT_FOUND' });
    else expect((await required).description).toBe(description);
  });
});
