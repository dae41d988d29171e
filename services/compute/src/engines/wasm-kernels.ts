import { readFileSync } from 'node:fs';
import type { KernelFunctions, Kernels } from './kernels.js';

/** Where the committed build lies, seen from `src` and from `dist` alike. */
const KERNELS_URL = new URL('../../kernels/kernels.wasm', import.meta.url);

/** The part that is used here; TypeScript knows it from its DOM library only, which has no place in a server. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { exports: unknown };
};

let compiled: object | undefined;

/** A fresh WebAssembly instance, whose memory goes when nobody holds it any more. */
export function instantiateWasmKernels(): Kernels {
  compiled ??= new WebAssembly.Module(readFileSync(KERNELS_URL));
  // The module names its functions itself; a mismatch with the interface shows in the first test that builds a network.
  const exports = new WebAssembly.Instance(compiled).exports as KernelFunctions & Pick<Kernels, 'memory'>;
  return { ...exports, dispose: () => undefined };
}
