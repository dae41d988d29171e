import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** What of an NVIDIA GPU's software this machine shows, for refusals that say what is missing. */
export interface GpuFindings {
  /** As the kernel names them, e.g. `nvidia0`, `renderD128`. */
  devices: readonly string[];
  /** NVIDIA's kernel driver, e.g. `570.86.15`. */
  driver: string | undefined;
  /** Of nvidia-smi, e.g. `NVIDIA H100 80GB HBM3, 81559 MiB`. */
  cards: readonly string[];
  /** CUDA libraries in the places where the loader looks, e.g. `libcudart.so.12`. */
  libraries: readonly string[];
}

const SMI_TIMEOUT_MS = 5_000;
const CUDA_LIBRARY = /^lib(?:cuda|cudart|cublas|cudnn)\.so\.\d+$/;
const LIBRARY_FOLDERS = [
  ...['/usr/local/cuda/lib64', '/usr/lib/x86_64-linux-gnu', '/usr/lib64', '/usr/local/nvidia/lib64'],
  // Windows lends its driver to Linux there.
  '/usr/lib/wsl/lib',
];

/** @param root of the file system; tests have one of their own */
export function findGpus(root = '/'): GpuFindings {
  const folders = [...(process.env['LD_LIBRARY_PATH']?.split(':').filter(Boolean) ?? []), ...LIBRARY_FOLDERS];
  const libraries = folders.flatMap((folder) => matching(join(root, folder), CUDA_LIBRARY));
  return {
    devices: [...matching(join(root, 'dev'), /^nvidia\d+$|^dxg$/), ...matching(join(root, 'dev/dri'), /^renderD\d+$/)],
    driver: driverVersion(join(root, 'proc/driver/nvidia/version')),
    cards: root === '/' ? cardsOfSmi() : [],
    libraries: [...new Set(libraries)].sort(),
  };
}

/** Whether it is worth loading a gigabyte of CUDA to look for a card. */
export function mayHaveNvidiaGpu({ devices, driver, cards }: GpuFindings): boolean {
  return driver !== undefined || cards.length > 0 || devices.some((name) => /^nvidia\d+$|^dxg$/.test(name));
}

/** E.g. `GPU devices: nvidia0; NVIDIA driver: 570.86.15; cards: none seen by nvidia-smi; CUDA libraries: none`. */
export function describeGpuFindings({ devices, driver, cards, libraries }: GpuFindings): string {
  const list = (found: readonly string[], none = 'none') => found.join(', ') || none;
  return (
    `GPU devices: ${list(devices)}; NVIDIA driver: ${driver ?? 'none'}; ` +
    `cards: ${list(cards, 'none seen by nvidia-smi')}; CUDA libraries: ${list(libraries)}`
  );
}

function matching(folder: string, pattern: RegExp): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => pattern.test(name))
      .sort();
  } catch {
    // No such folder: nothing in it.
    return [];
  }
}

function driverVersion(path: string): string | undefined {
  try {
    return /Module\s+(?:for\s+\S+\s+)?(\d+(?:\.\d+)+)/.exec(readFileSync(path, 'utf8'))?.[1];
  } catch {
    // Without the driver the kernel has no such file.
    return undefined;
  }
}

function cardsOfSmi(): string[] {
  try {
    const args = ['--query-gpu=name,memory.total', '--format=csv,noheader'];
    const told = execFileSync('nvidia-smi', args, {
      encoding: 'utf8',
      timeout: SMI_TIMEOUT_MS,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return told.split('\n').filter(Boolean);
  } catch {
    // Not installed, or without a driver to ask.
    return [];
  }
}
