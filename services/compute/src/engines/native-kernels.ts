import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { FailedPreconditionError } from '@bbdistill/common/base';
import type { KernelFunctions, Kernels } from './kernels.js';

/** Where `scripts/build-native.mjs` puts the addon, seen from `src` and from `dist` alike. */
export const ADDON_PATH = fileURLToPath(
  new URL(`../../native/${process.platform}-${process.arch}-napi.node`, import.meta.url),
);

/** An object of `kernels/native/addon.c`. */
interface NativeInstance extends KernelFunctions {
  /** Once, after the network is built. */
  takeMemory(): ArrayBuffer;
  /** Unmaps the memory and detaches what `takeMemory` gave, so that no view of it can reach freed memory. */
  release(memory: ArrayBuffer): void;
}

interface Addon {
  /** Those that this CPU has, best first. */
  instructionSets: readonly [string, ...string[]];
  Kernels: new (instructionSet: string) => NativeInstance;
  /** Missing in an addon that was built before this was there. */
  returnLargeBlocks?(): boolean;
}

let loaded: Addon | undefined;

/** @throws FailedPreconditionError where there is no addon or it doesn't load here */
export function loadAddon(path: string): Addon {
  try {
    return createRequire(import.meta.url)(path) as Addon;
  } catch (cause) {
    throw new FailedPreconditionError(
      `the native kernels can't be loaded from ${path}; with a C compiler, npm run build:native makes them`,
      { code: 'ADDON_MISSING', cause },
    );
  }
}

function addon(): Addon {
  return (loaded ??= loadAddon(ADDON_PATH));
}

/**
 * The instruction sets that the native kernels have for this CPU, best first, e.g. `AVX2+FMA`, `SSE2`.
 * @throws FailedPreconditionError where the addon wasn't built or doesn't load here
 */
export function nativeInstructionSets(): readonly [string, ...string[]] {
  return addon().instructionSets;
}

/**
 * Freed blocks of a shard's size then leave the process at once. @returns whether the C library can
 * @throws FailedPreconditionError as `nativeInstructionSets`
 */
export function returnLargeBlocks(): boolean {
  return addon().returnLargeBlocks?.() ?? false;
}

/** A fresh instance for this instruction set, one of `nativeInstructionSets`. */
export function instantiateNativeKernels(instructionSet: string): Kernels {
  const instance = new (addon().Kernels)(instructionSet);
  let buffer: ArrayBuffer | undefined;
  const memory = {
    get buffer() {
      return (buffer ??= instance.takeMemory());
    },
  };
  return Object.assign(instance, { memory, dispose: () => instance.release(memory.buffer) });
}
