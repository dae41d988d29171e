import type { ClassifierOptions, CvaeOptions, Engine } from '../engine.js';
import { WasmClassifier } from './wasm-classifier.js';
import { WasmCvae } from './wasm-cvae.js';

/**
 * Our kernels as WebAssembly with 128-bit vectors: nothing to install, one thread, and the same bits on every machine
 * (own exp and log, no fused or relaxed arithmetic).
 */
export function createWasmEngine(): Engine {
  return {
    name: 'wasm',
    description: 'wasm: own kernels, WebAssembly SIMD 128 bit, one thread, the same bits on every machine',
    createClassifier: (options: ClassifierOptions) => new WasmClassifier(options),
    createCvae: (options: CvaeOptions) => new WasmCvae(options),
  };
}
