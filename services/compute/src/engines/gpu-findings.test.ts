import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { temporaryFolder } from '../../../../test/helpers/temporary-folder.js';
import { describeGpuFindings, findGpus, mayHaveNvidiaGpu } from './gpu-findings.js';

async function ownFolder(): Promise<string> {
  const folder = await temporaryFolder();
  onTestFinished(() => folder[Symbol.asyncDispose]());
  return folder.path;
}

async function machine(files: Readonly<Record<string, string>>): Promise<string> {
  const root = await ownFolder();
  for (const [path, content] of Object.entries(files)) {
    await mkdir(join(root, dirname(path)), { recursive: true });
    await writeFile(join(root, path), content);
  }
  return root;
}

describe('GPU findings', () => {
  it('tell devices, driver and CUDA libraries of a machine with a card', async () => {
    const found = findGpus(
      await machine({
        'dev/nvidia0': '',
        'dev/nvidiactl': '',
        'dev/dri/renderD128': '',
        'proc/driver/nvidia/version':
          'NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build  (dvs-builder)\n',
        'usr/local/cuda/lib64/libcudart.so.12': '',
        'usr/local/cuda/lib64/libcudart.so.12.4.127': '',
        'usr/lib/x86_64-linux-gnu/libcuda.so.1': '',
      }),
    );
    expect(found).toEqual({
      devices: ['nvidia0', 'renderD128'],
      driver: '570.86.15',
      cards: [],
      libraries: ['libcuda.so.1', 'libcudart.so.12'],
    });
    expect(mayHaveNvidiaGpu(found)).toBe(true);
    expect(describeGpuFindings(found)).toBe(
      'GPU devices: nvidia0, renderD128; NVIDIA driver: 570.86.15; cards: none seen by nvidia-smi; ' +
        'CUDA libraries: libcuda.so.1, libcudart.so.12',
    );
  });

  it('read the driver of older kernel modules too', async () => {
    const version = 'NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n';
    expect(findGpus(await machine({ 'proc/driver/nvidia/version': version })).driver).toBe('535.104.05');
  });

  it('see no NVIDIA GPU where there is none, or only somebody else’s', async () => {
    const none = findGpus(await machine({}));
    expect(describeGpuFindings(none)).toBe(
      'GPU devices: none; NVIDIA driver: none; cards: none seen by nvidia-smi; CUDA libraries: none',
    );
    expect(mayHaveNvidiaGpu(none)).toBe(false);
    expect(mayHaveNvidiaGpu(findGpus(await machine({ 'dev/dri/renderD128': '' })))).toBe(false);
  });

  it('see the GPU that Windows lends', async () => {
    expect(mayHaveNvidiaGpu(findGpus(await machine({ 'dev/dxg': '' })))).toBe(true);
  });
});
