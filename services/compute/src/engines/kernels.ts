import type { OptimiserOptions } from '../engine.js';
import type { FlatState } from './flat-parameters.js';

/** An address in the instance's memory, as an offset from its start. */
export type Pointer = number;

/** The functions of `kernels/*.c`; what they do is said there. Tensors of a graph go by their numbers. */
export interface KernelFunctions {
  augmenter_new(batch: number, height: number, width: number, channels: number, images: Pointer): Pointer;
  augmenter_first(self: Pointer): Pointer;
  augmenter_second(self: Pointer): Pointer;
  augmenter_draws(self: Pointer): Pointer;
  augmenter_fill(self: Pointer, count: number, mixes: number, warps: number): void;

  classifier_new(batch: number, height: number, width: number, channels: number): Pointer;
  classifier_graph(self: Pointer): Pointer;
  classifier_finish(
    self: Pointer,
    balance: number,
    temperature: number,
    withEntropy: number,
    averageDecay: number,
  ): void;
  classifier_images(self: Pointer): Pointer;
  classifier_targets(self: Pointer): Pointer;
  classifier_bytes(self: Pointer): Pointer;
  classifier_probabilities(self: Pointer): Pointer;
  classifier_optimiser(self: Pointer): Pointer;
  classifier_seek(self: Pointer, steps: number): void;
  classifier_step(self: Pointer, count: number, rate: number): number;
  classifier_backward(self: Pointer, count: number, firstImage: number): number;
  classifier_apply(self: Pointer, rate: number): void;
  classifier_predict(self: Pointer, count: number): void;

  graph_add_conv(
    graph: Pointer,
    input: number,
    filters: number,
    kernelHeight: number,
    kernelWidth: number,
    strideY: number,
    strideX: number,
    same: number,
    hasBias: number,
    activation: number,
    l2: number,
  ): number;
  graph_add_conv_transpose: KernelFunctions['graph_add_conv'];
  graph_add_pool(
    graph: Pointer,
    input: number,
    averages: number,
    poolHeight: number,
    poolWidth: number,
    strideY: number,
    strideX: number,
    same: number,
  ): number;
  graph_add_global_average(graph: Pointer, input: number): number;
  graph_add_dense(
    graph: Pointer,
    input: number,
    units: number,
    hasBias: number,
    activation: number,
    l2: number,
  ): number;
  graph_add_batch_norm(graph: Pointer, input: number, momentum: number, epsilon: number): number;
  graph_add_dropout(graph: Pointer, input: number, rate: number, seed: number): number;
  graph_add_activation(graph: Pointer, input: number, activation: number): number;
  graph_add_sum(graph: Pointer, input: number, second: number): number;
  graph_add_concat(graph: Pointer, input: number, second: number): number;
  graph_add_reshape(graph: Pointer, input: number, height: number, width: number, channels: number): number;
  graph_first_nonfinite(graph: Pointer, count: number): number;

  cvae_new(batch: number, height: number, width: number, channels: number, classes: number, latent: number): Pointer;
  cvae_encoder(self: Pointer): Pointer;
  cvae_decoder(self: Pointer): Pointer;
  cvae_finish(self: Pointer): void;
  cvae_images(self: Pointer): Pointer;
  cvae_conditions(self: Pointer): Pointer;
  cvae_noise(self: Pointer): Pointer;
  cvae_latents(self: Pointer): Pointer;
  cvae_decoded(self: Pointer): Pointer;
  cvae_optimiser(self: Pointer): Pointer;
  cvae_seek(self: Pointer, steps: number): void;
  cvae_step(self: Pointer, count: number, rate: number): number;
  cvae_backward(self: Pointer, count: number): number;
  cvae_decode(self: Pointer, count: number): void;

  optimiser_use_adam(optimiser: Pointer, beta1: number, beta2: number, epsilon: number, weightDecay: number): void;
  optimiser_use_sgd(optimiser: Pointer, momentum: number, isNesterov: number, weightDecay: number): void;
  optimiser_share(optimiser: Pointer, threads: number, thread: number, begin: number, end: number): void;
  optimiser_part(optimiser: Pointer, thread: number): Pointer;
  optimiser_weigh_part(optimiser: Pointer, thread: number, share: number): void;
  optimiser_values(optimiser: Pointer): Pointer;
  optimiser_gradients(optimiser: Pointer): Pointer;
  optimiser_first_moments(optimiser: Pointer): Pointer;
  optimiser_second_moments(optimiser: Pointer): Pointer;
  optimiser_averages(optimiser: Pointer): Pointer;
  optimiser_statistics(optimiser: Pointer): Pointer;
}

/** As `Activation` of `graph.h`. */
export const ACTIVATION_CODES = { linear: 0, relu: 1, sigmoid: 2, softmax: 3 } as const;

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

/** The vectors behind an `Optimiser` of `optimiser.h`. */
export function flatStateAt(
  kernels: Kernels,
  optimiser: Pointer,
  parameters: number,
  statistics: number,
): FlatState & { gradients: Float32Array } {
  const averages = kernels.optimiser_averages(optimiser);
  return {
    values: floatsAt(kernels, kernels.optimiser_values(optimiser), parameters),
    gradients: floatsAt(kernels, kernels.optimiser_gradients(optimiser), parameters),
    firstMoments: floatsAt(kernels, kernels.optimiser_first_moments(optimiser), parameters),
    secondMoments: floatsAt(kernels, kernels.optimiser_second_moments(optimiser), parameters),
    // A null pointer is 0 in WebAssembly, and below 0 in the addon, whose pointers are offsets.
    averages: averages > 0 ? floatsAt(kernels, averages, parameters) : undefined,
    statistics: floatsAt(kernels, kernels.optimiser_statistics(optimiser), statistics),
  };
}

export function useOptimiser(kernels: Kernels, optimiser: Pointer, options: OptimiserOptions): void {
  const { weightDecay } = options;
  if (options.kind === 'adam') {
    kernels.optimiser_use_adam(optimiser, options.beta1, options.beta2, options.epsilon, weightDecay);
  } else {
    kernels.optimiser_use_sgd(optimiser, options.momentum, options.nesterov ? 1 : 0, weightDecay);
  }
}
