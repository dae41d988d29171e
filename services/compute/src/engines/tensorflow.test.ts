import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../../../../test/helpers/temporary-folder.js';
import type { GpuFindings } from './gpu-findings.js';
import { createTensorflowEngine } from './tensorflow.js';

const NO_GPU: GpuFindings = { devices: [], driver: undefined, cards: [], libraries: [] };
const CARD: GpuFindings = { devices: ['nvidia0'], driver: '570.86.15', cards: ['NVIDIA L4, 23034 MiB'], libraries: [] };

async function ownFolder(): Promise<string> {
  const folder = await temporaryFolder();
  onTestFinished(() => folder[Symbol.asyncDispose]());
  return folder.path;
}

/** A folder in which the package is installed with this module. */
async function installed(packageName: string, module: string): Promise<string[]> {
  const root = await ownFolder();
  const folder = join(root, 'node_modules', packageName);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'index.js'), module);
  return [join(root, 'package.json')];
}

const tfjsNode = (usesGpu: boolean) => `
  module.exports = {
    version: { 'tfjs-core': '4.22.0' },
    backend: () => ({ binding: { TF_Version: '2.21.0' }, isUsingGpuDevice: ${usesGpu} }),
  };`;

describe('tensorflow engines - where the package is', () => {
  it('say versions and device', async () => {
    const cpu = createTensorflowEngine(
      'tensorflow',
      () => NO_GPU,
      await installed('@tensorflow/tfjs-node', tfjsNode(false)),
    );
    expect(cpu.name).toBe('tensorflow');
    expect(cpu.description).toBe('tensorflow: @tensorflow/tfjs-node 4.22.0, TensorFlow 2.21.0, on CPU');
    const places = await installed('@tensorflow/tfjs-node-gpu', tfjsNode(true));
    expect(createTensorflowEngine('tensorflow-gpu', () => CARD, places).description).toBe(
      'tensorflow-gpu: @tensorflow/tfjs-node-gpu 4.22.0, TensorFlow 2.21.0, on NVIDIA L4, 23034 MiB',
    );
  });

  it('load it with GPU memory that grows, the same bits every time, and what Node 23 took away', async () => {
    const places = await installed(
      '@tensorflow/tfjs-node',
      `const { TF_FORCE_GPU_ALLOW_GROWTH: growth, TF_DETERMINISTIC_OPS: deterministic } = process.env;
       const { isNullOrUndefined } = require('util');
       const told = [growth, deterministic, isNullOrUndefined(null), isNullOrUndefined(0)].join(' ');
       ${tfjsNode(false).replace("'2.21.0'", 'told')}`,
    );
    expect(createTensorflowEngine('tensorflow', () => NO_GPU, places).description).toContain(
      'TensorFlow true 1 true false',
    );
  });
});

describe('tensorflow engines - refusals', () => {
  it('a package that is not installed is told with what installs it', async () => {
    const places = [join(await ownFolder(), 'package.json')];
    expect(() => createTensorflowEngine('tensorflow', () => NO_GPU, places)).toThrow(
      '@tensorflow/tfjs-node is not installed; npm run setup:tensorflow installs it',
    );
    expect(() => createTensorflowEngine('tensorflow-gpu', () => CARD, places)).toThrow(
      expect.objectContaining({
        code: 'ENGINE_NOT_INSTALLED',
        message: '@tensorflow/tfjs-node-gpu is not installed; npm run setup:gpu installs it',
      }) as Error,
    );
  });

  it('a machine without an NVIDIA GPU never loads the package', async () => {
    const places = await installed('@tensorflow/tfjs-node-gpu', "throw new Error('loaded');");
    expect(() => createTensorflowEngine('tensorflow-gpu', () => NO_GPU, places)).toThrow(
      expect.objectContaining({
        code: 'GPU_NOT_FOUND',
        message: expect.stringMatching(/no NVIDIA GPU here \(GPU devices: none; NVIDIA driver: none/) as unknown,
      }) as Error,
    );
  });

  it('a TensorFlow that falls back to the CPU in silence is refused with all versions', async () => {
    const places = await installed('@tensorflow/tfjs-node-gpu', tfjsNode(false));
    expect(() => createTensorflowEngine('tensorflow-gpu', () => CARD, places)).toThrow(
      /TensorFlow 2\.21\.0 sees no GPU \(GPU devices: nvidia0; NVIDIA driver: 570\.86\.15; cards: NVIDIA L4.*setup:gpu/,
    );
  });

  it('an addon that does not load is told with its reason and the remedy', async () => {
    const module = "throw new Error('libtensorflow_cc.so.2: cannot open shared object file\\nmore');";
    const places = await installed('@tensorflow/tfjs-node', module);
    expect(() => createTensorflowEngine('tensorflow', () => NO_GPU, places)).toThrow(
      '@tensorflow/tfjs-node does not load: libtensorflow_cc.so.2: cannot open shared object file; ' +
        'npm run setup:tensorflow builds it anew',
    );
  });
});
