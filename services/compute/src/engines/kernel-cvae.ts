import { FailedPreconditionError, pixelsPerImage } from '@bbdistill/common/base';
import { cvaeGraphs } from '../cvae-networks.js';
import { NanLossError } from '../engine.js';
import type { Cvae, CvaeOptions, WeightTensor } from '../engine.js';
import { elementsOfAll, shapedGraph, tensorsOf } from '../network-shapes.js';
import { allocating, requireLength, requireMemory, requireNatural, requireOptimiser, requireStep } from './checks.js';
import { FlatParameters } from './flat-parameters.js';
import { KernelGraph, floatsOfGraph } from './kernel-graph.js';
import { flatStateAt, floatsAt, useOptimiser } from './kernels.js';
import type { KernelFactory, Kernels, Pointer } from './kernels.js';

const OWNER = 'the CVAE';

/** What goes with `dispose`: the instance and every view into its memory. */
interface Live {
  kernels: Kernels;
  self: Pointer;
  encoder: KernelGraph;
  decoder: KernelGraph;
  parameters: FlatParameters;
  gradients: Float32Array;
  images: Float32Array;
  conditions: Float32Array;
  noise: Float32Array;
  latents: Float32Array;
  decoded: Float32Array;
}

/** A conditional VAE in an instance of the kernels of its own; one call into it per step. */
export class KernelCvae implements Cvae {
  readonly #batch: number;
  readonly #pixels: number;
  readonly #classes: number;
  readonly #latent: number;
  #live: Live | undefined;
  #steps = 0;

  /** @throws InvalidArgumentError naming the option that can't be */
  constructor(options: CvaeOptions, instantiate: KernelFactory) {
    const { shape, classes, latent, architecture, batch, seed, optimiser } = options;
    requireNatural('batch', batch);
    requireNatural('classes', classes);
    requireNatural('latent', latent);
    requireNatural('pixels of an image', pixelsPerImage(shape));
    for (const units of architecture.hidden) requireNatural('hidden units', units);
    requireOptimiser(optimiser);
    this.#batch = batch;
    this.#pixels = pixelsPerImage(shape);
    this.#classes = classes;
    this.#latent = latent;
    const graphs = cvaeGraphs(options);
    const [encoderLayers, decoderLayers] = [shapedGraph(graphs.encoder), shapedGraph(graphs.decoder)];
    const layout = [...tensorsOf(encoderLayers), ...tensorsOf(decoderLayers)];
    const parameterCount = elementsOfAll(layout);
    requireMemory(
      OWNER,
      floatsOfGraph(graphs.encoder, encoderLayers, batch) + floatsOfGraph(graphs.decoder, decoderLayers, batch),
    );
    const kernels = instantiate();
    const [self, encoder, decoder] = allocating(OWNER, () => {
      const pointer = kernels.cvae_new(batch, shape.height, shape.width, shape.channels, classes, latent);
      const halves = [
        new KernelGraph(kernels, kernels.cvae_encoder(pointer), graphs.encoder, encoderLayers, seed),
        new KernelGraph(kernels, kernels.cvae_decoder(pointer), graphs.decoder, decoderLayers, seed),
      ] as const;
      kernels.cvae_finish(pointer);
      return [pointer, ...halves] as const;
    });
    useOptimiser(kernels, kernels.cvae_optimiser(self), optimiser);
    const state = flatStateAt(kernels, kernels.cvae_optimiser(self), parameterCount, 0);
    const parameters = new FlatParameters(OWNER, layout, state);
    parameters.initialise(seed);
    this.#live = {
      kernels,
      self,
      encoder,
      decoder,
      parameters,
      gradients: state.gradients,
      images: floatsAt(kernels, kernels.cvae_images(self), batch * this.#pixels),
      conditions: floatsAt(kernels, kernels.cvae_conditions(self), batch * classes),
      noise: floatsAt(kernels, kernels.cvae_noise(self), batch * latent),
      latents: floatsAt(kernels, kernels.cvae_latents(self), batch * latent),
      decoded: floatsAt(kernels, kernels.cvae_decoded(self), batch * this.#pixels),
    };
  }

  get images(): Float32Array {
    return this.#alive().images;
  }

  get conditions(): Float32Array {
    return this.#alive().conditions;
  }

  get noise(): Float32Array {
    return this.#alive().noise;
  }

  /** The flat gradient of `computeGradients`: for tests. */
  get gradients(): Float32Array {
    return this.#alive().gradients;
  }

  trainStep(count: number, learningRate: number): number {
    requireStep(count, this.#batch, learningRate);
    const { kernels, self } = this.#alive();
    const loss = kernels.cvae_step(self, count, learningRate);
    if (!Number.isFinite(loss)) this.#fail(loss, count);
    this.#steps++;
    return loss;
  }

  /** The mean loss; leaves its gradients, without a step: for tests. */
  computeGradients(count: number): number {
    requireStep(count, this.#batch, 0);
    const { kernels, self } = this.#alive();
    return kernels.cvae_backward(self, count);
  }

  decode(latents: Float32Array, conditions: Float32Array, count: number): Float32Array {
    const { kernels, self, latents: given, conditions: condition, decoded } = this.#alive();
    requireLength('latents', latents.length, count * this.#latent);
    requireLength('conditions', conditions.length, count * this.#classes);
    const result = new Float32Array(count * this.#pixels);
    for (let begin = 0; begin < count; begin += this.#batch) {
      const end = Math.min(begin + this.#batch, count);
      given.set(latents.subarray(begin * this.#latent, end * this.#latent));
      condition.set(conditions.subarray(begin * this.#classes, end * this.#classes));
      kernels.cvae_decode(self, end - begin);
      result.set(decoded.subarray(0, (end - begin) * this.#pixels), begin * this.#pixels);
    }
    return result;
  }

  weights(): WeightTensor[] {
    return this.#alive().parameters.tensors();
  }

  setWeights(weights: readonly WeightTensor[]): void {
    this.#alive().parameters.setTensors(weights);
  }

  checkpoint(): Uint8Array {
    return this.#alive().parameters.encodeCheckpoint(this.#steps);
  }

  restore(checkpoint: Uint8Array): void {
    const { kernels, self, parameters } = this.#alive();
    this.#steps = parameters.restoreCheckpoint(checkpoint);
    kernels.cvae_seek(self, this.#steps);
  }

  memoryBytes(): number {
    return this.#live?.kernels.memory.buffer.byteLength ?? 0;
  }

  /** Afterwards every call but this one and `memoryBytes` throws FailedPreconditionError. */
  dispose(): void {
    this.#live?.kernels.dispose();
    this.#live = undefined;
  }

  #alive(): Live {
    if (!this.#live) throw new FailedPreconditionError(`${OWNER} was disposed of; compile it anew`);
    return this.#live;
  }

  /** @throws NanLossError with the first layer that holds what isn't a finite number, forward before backward */
  #fail(loss: number, count: number): never {
    const { encoder, decoder, parameters, gradients } = this.#alive();
    const layer =
      encoder.firstNonFinite(count) ??
      decoder.firstNonFinite(count) ??
      parameters.firstNonFinite(gradients)?.replace(/\/[^/]*$/, '');
    throw new NanLossError(OWNER, this.#steps + 1, loss, layer);
  }
}
