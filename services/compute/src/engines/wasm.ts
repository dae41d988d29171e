import type { ClassifierOptions, CvaeOptions, Engine } from '../engine.js';
import { KernelClassifier } from './kernel-classifier.js';
import { KernelCvae } from './kernel-cvae.js';
import { instantiateWasmKernels } from './wasm-kernels.js';

/**
 * Our kernels as WebAssembly with 128-bit vectors: nothing to install, and the same bits on every machine
 * (own exp and log, no fused or relaxed arithmetic).
 */
export function createWasmEngine(): Engine {
  return {
    name: 'wasm',
    description: 'wasm: own kernels, WebAssembly SIMD 128 bit, the same bits on every machine',
    createClassifier: (options: ClassifierOptions) => new KernelClassifier(options, instantiateWasmKernels),
    createCvae: (options: CvaeOptions) => new KernelCvae(options, instantiateWasmKernels),
  };
}
