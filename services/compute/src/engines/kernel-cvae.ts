import { FailedPreconditionError, InvalidArgumentError, pixelsPerImage } from '@bbdistill/common';
import { NanLossError } from '../engine.js';
import type { Cvae, CvaeOptions, WeightTensor } from '../engine.js';
import { cvaeGraphs } from '../cvae-networks.js';
import { MAX_LAYERS, elementsOfAll, shapedGraph, tensorsOf } from '../network-shapes.js';
import type { TensorLayout } from '../network-shapes.js';
import { allocating, requireOptimiser, requireLength, requireMemory, requireNatural, requireStep } from './checks.js';
import { FlatParameters } from './flat-parameters.js';
import { ACTIVATION_CODES, flatStateAt, floatsAt } from './kernels.js';
import type { KernelFactory, Kernels, Pointer } from './kernels.js';

const OWNER = 'the CVAE';

/** What goes with `dispose`: the instance and every view into its memory. */
interface Live {
  kernels: Kernels;
  self: Pointer;
  parameters: FlatParameters;
  images: Float32Array;
  conditions: Float32Array;
  noise: Float32Array;
  decoderInput: Float32Array;
  decoded: Float32Array;
}

/** A dense conditional VAE in an instance of the kernels of its own; one call into it per step. */
export class KernelCvae implements Cvae {
  readonly #batch: number;
  readonly #pixels: number;
  readonly #classes: number;
  readonly #latent: number;
  readonly #parameterCount: number;
  #live: Live | undefined;
  #steps = 0;

  /** @throws InvalidArgumentError naming the option that can't be */
  constructor(options: CvaeOptions, instantiate: KernelFactory) {
    const { shape, classes, latent, architecture, batch, seed, optimiser: adam } = options;
    if (architecture.kind !== 'dense' || adam.kind !== 'adam') {
      throw new InvalidArgumentError(`${OWNER} can't be ${architecture.kind} with ${adam.kind} yet`);
    }
    const { hidden } = architecture;
    requireNatural('batch', batch);
    requireNatural('classes', classes);
    requireNatural('latent', latent);
    requireNatural('pixels of an image', pixelsPerImage(shape));
    for (const units of hidden) requireNatural('hidden units', units);
    if (hidden.length >= MAX_LAYERS) {
      throw new InvalidArgumentError(
        `${OWNER} has ${hidden.length} hidden layers; at most ${MAX_LAYERS - 1} are possible`,
      );
    }
    requireOptimiser(adam);
    this.#batch = batch;
    this.#pixels = pixelsPerImage(shape);
    this.#classes = classes;
    this.#latent = latent;
    const layout = cvaeTensors(options);
    this.#parameterCount = elementsOfAll(layout);
    const widths = 2 * (hidden.reduce((a, b) => a + b, 0) + this.#pixels + classes + 2 * latent);
    requireMemory(OWNER, 2 * batch * (widths + this.#pixels) + 4 * this.#parameterCount);
    const kernels = instantiate();
    const self = kernels.cvae_new(batch, this.#pixels, classes, latent);
    for (const units of hidden) kernels.cvae_add_encoder(self, units, ACTIVATION_CODES.relu);
    kernels.cvae_add_encoder(self, 2 * latent, ACTIVATION_CODES.linear);
    for (const units of [...hidden].reverse()) kernels.cvae_add_decoder(self, units, ACTIVATION_CODES.relu);
    // The loss and `decode` apply the sigmoid themselves.
    kernels.cvae_add_decoder(self, this.#pixels, ACTIVATION_CODES.linear);
    allocating(OWNER, () => kernels.cvae_finish(self, adam.beta1, adam.beta2, adam.epsilon, adam.weightDecay));
    const state = flatStateAt(kernels, kernels.cvae_parameters(self), this.#parameterCount);
    const parameters = new FlatParameters(OWNER, layout, state);
    parameters.initialise(seed);
    this.#live = {
      kernels,
      self,
      parameters,
      images: floatsAt(kernels, kernels.cvae_images(self), batch * this.#pixels),
      conditions: floatsAt(kernels, kernels.cvae_conditions(self), batch * classes),
      noise: floatsAt(kernels, kernels.cvae_noise(self), batch * latent),
      decoderInput: floatsAt(kernels, kernels.cvae_decoder_input(self), batch * (latent + classes)),
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

  trainStep(count: number, learningRate: number): number {
    requireStep(count, this.#batch, learningRate);
    const { kernels, self } = this.#alive();
    const loss = kernels.cvae_step(self, count, learningRate);
    if (!Number.isFinite(loss)) throw new NanLossError(OWNER, this.#steps + 1, loss);
    this.#steps++;
    return loss;
  }

  decode(latents: Float32Array, conditions: Float32Array, count: number): Float32Array {
    const { kernels, self, decoderInput, decoded } = this.#alive();
    requireLength('latents', latents.length, count * this.#latent);
    requireLength('conditions', conditions.length, count * this.#classes);
    const result = new Float32Array(count * this.#pixels);
    const width = this.#latent + this.#classes;
    for (let begin = 0; begin < count; begin += this.#batch) {
      const some = Math.min(this.#batch, count - begin);
      for (let row = 0; row < some; row++) {
        const image = begin + row;
        decoderInput.set(latents.subarray(image * this.#latent, (image + 1) * this.#latent), row * width);
        decoderInput.set(
          conditions.subarray(image * this.#classes, (image + 1) * this.#classes),
          row * width + this.#latent,
        );
      }
      kernels.cvae_decode(self, some);
      result.set(decoded.subarray(0, some * this.#pixels), begin * this.#pixels);
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

  /** The mean loss and its gradients by all parameters in one vector, without a step: for tests. */
  gradients(count: number): { loss: number; gradients: Float32Array } {
    requireStep(count, this.#batch, 0);
    const { kernels, self } = this.#alive();
    const loss = kernels.cvae_gradients(self, count);
    const at = kernels.parameters_gradients(kernels.cvae_parameters(self));
    return { loss, gradients: floatsAt(kernels, at, this.#parameterCount).slice() };
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
}

/** `encoder/latent` gives the mean in its first columns and the log-variance in its last. */
function cvaeTensors(options: CvaeOptions): TensorLayout[] {
  const { encoder, decoder } = cvaeGraphs(options);
  return [...tensorsOf(shapedGraph(encoder)), ...tensorsOf(shapedGraph(decoder))];
}
