import type { Activation } from '../engine.js';
import type { FlatState } from './flat-parameters.js';

/** An address in the instance's memory, as an offset from its start. */
export type Pointer = number;

/** The functions of `kernels/*.c`; what they do is said there. */
export interface KernelFunctions {
  classifier_new(batch: number, height: number, width: number, channels: number): Pointer;
  classifier_add_conv(self: Pointer, filters: number, kernel: number, same: number, activation: number): void;
  classifier_add_pool(self: Pointer, size: number): void;
  classifier_add_dense(self: Pointer, units: number, activation: number): void;
  classifier_finish(
    self: Pointer,
    balance: number,
    temperature: number,
    beta1: number,
    beta2: number,
    epsilon: number,
    weightDecay: number,
  ): void;
  classifier_images(self: Pointer): Pointer;
  classifier_targets(self: Pointer): Pointer;
  classifier_bytes(self: Pointer): Pointer;
  classifier_probabilities(self: Pointer): Pointer;
  classifier_parameters(self: Pointer): Pointer;
  classifier_seek(self: Pointer, steps: number): void;
  classifier_step(self: Pointer, count: number, rate: number): number;
  classifier_gradients(self: Pointer, count: number): number;
  classifier_apply(self: Pointer, rate: number): void;
  classifier_predict(self: Pointer, count: number): void;

  cvae_new(batch: number, pixels: number, classes: number, latent: number): Pointer;
  cvae_add_encoder(self: Pointer, units: number, activation: number): void;
  cvae_add_decoder(self: Pointer, units: number, activation: number): void;
  cvae_finish(self: Pointer, beta1: number, beta2: number, epsilon: number, weightDecay: number): void;
  cvae_images(self: Pointer): Pointer;
  cvae_conditions(self: Pointer): Pointer;
  cvae_noise(self: Pointer): Pointer;
  cvae_decoder_input(self: Pointer): Pointer;
  cvae_decoded(self: Pointer): Pointer;
  cvae_parameters(self: Pointer): Pointer;
  cvae_seek(self: Pointer, steps: number): void;
  cvae_step(self: Pointer, count: number, rate: number): number;
  cvae_gradients(self: Pointer, count: number): number;
  cvae_decode(self: Pointer, count: number): void;

  parameters_values(parameters: Pointer): Pointer;
  parameters_gradients(parameters: Pointer): Pointer;
  parameters_first_moments(parameters: Pointer): Pointer;
  parameters_second_moments(parameters: Pointer): Pointer;
}

/** As `Activation` of `chain.h`. */
export const ACTIVATION_CODES: Readonly<Record<Activation, number>> = { linear: 0, relu: 1, sigmoid: 2 };

/** One instance of the kernels with a memory of its own: one for every network. */
export interface Kernels extends KernelFunctions {
  /** To be read only once the network is built; its size is fixed from then on. */
  readonly memory: { readonly buffer: ArrayBuffer };
  /** Gives the memory back. Neither functions nor views may be used afterwards. */
  dispose(): void;
}

/** Makes instances: what an engine of this family consists of. */
export type KernelFactory = () => Kernels;

/** A view into the memory of an instance whose network is built. */
export function floatsAt(kernels: Kernels, at: Pointer, length: number): Float32Array {
  return new Float32Array(kernels.memory.buffer, at, length);
}

/** A view into the memory of an instance whose network is built. */
export function bytesAt(kernels: Kernels, at: Pointer, length: number): Uint8Array {
  return new Uint8Array(kernels.memory.buffer, at, length);
}

/** The vectors behind a `Parameters` of `chain.h`. */
export function flatStateAt(kernels: Kernels, parameters: Pointer, count: number): FlatState {
  return {
    values: floatsAt(kernels, kernels.parameters_values(parameters), count),
    firstMoments: floatsAt(kernels, kernels.parameters_first_moments(parameters), count),
    secondMoments: floatsAt(kernels, kernels.parameters_second_moments(parameters), count),
  };
}
