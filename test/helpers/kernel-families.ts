import { execFileSync } from 'node:child_process';
import type { Engine } from '@bbdistill/compute';
import type { KernelFactory } from '../../services/compute/src/engines/kernels.js';
import { instantiateNativeKernels, nativeInstructionSets } from '../../services/compute/src/engines/native-kernels.js';
import { createNativeEngine } from '../../services/compute/src/engines/native.js';
import { instantiateWasmKernels } from '../../services/compute/src/engines/wasm-kernels.js';
import { createWasmEngine } from '../../services/compute/src/engines/wasm.js';

/** One build of the kernels, as the tests of all builds see it. */
export interface KernelFamily {
  name: string;
  engine: Engine;
  instantiate: KernelFactory;
}

const WASM: KernelFamily = { name: 'wasm', engine: createWasmEngine(), instantiate: instantiateWasmKernels };

/**
 * WebAssembly and every instruction set of the addon that this CPU has. Without the addon WebAssembly alone, except in
 * CI where a compiler could have built it.
 */
export function kernelFamilies(): KernelFamily[] {
  return [
    WASM,
    ...addonInstructionSets().map((instructionSet) => ({
      name: `native ${instructionSet}`,
      engine: createNativeEngine(instructionSet),
      instantiate: () => instantiateNativeKernels(instructionSet),
    })),
  ];
}

/** Empty where the addon isn't built. @throws in CI where a compiler is */
export function addonInstructionSets(): readonly string[] {
  try {
    return nativeInstructionSets();
  } catch (error) {
    if (process.env['CI'] && hasCompiler()) throw error;
    return [];
  }
}

function hasCompiler(): boolean {
  return ['clang', 'gcc', 'cc'].some((command) => {
    try {
      execFileSync(command, ['--version'], { stdio: 'ignore' });
      return true;
    } catch {
      return false;
    }
  });
}
