import { FailedPreconditionError, InvalidArgumentError, pixelsPerImage } from '@bbdistill/common';
import { NanLossError, pairOf } from '../engine.js';
import type {
  AdamOptions,
  ClassifierOptions,
  NetworkSpec,
  OptimiserOptions,
  SplitStepClassifier,
  WeightTensor,
} from '../engine.js';
import { elementsOfAll, networkTensors, shapedLayers } from '../network-shapes.js';
import {
  allocating,
  requireLength,
  requireMemory,
  requireNatural,
  requireOptimiser,
  requireStep,
  resolvedLoss,
} from './checks.js';
import { FlatParameters } from './flat-parameters.js';
import { ACTIVATION_CODES, bytesAt, flatStateAt, floatsAt } from './kernels.js';
import type { KernelFactory, Kernels, Pointer } from './kernels.js';

/** What goes with `dispose`: the instance and every view into its memory. */
interface Live {
  kernels: Kernels;
  self: Pointer;
  parameters: FlatParameters;
  images: Float32Array;
  targets: Float32Array;
  bytes: Uint8Array;
  probabilities: Float32Array;
}

/** A classifier in an instance of the kernels of its own; one call into it per step. */
export class KernelClassifier implements SplitStepClassifier {
  readonly network: NetworkSpec;
  readonly parameterCount: number;
  readonly #batch: number;
  readonly #pixels: number;
  #live: Live | undefined;
  #steps = 0;

  /** @throws InvalidArgumentError naming the option or the layer that can't be */
  constructor({ network, batch, seed, loss, optimiser }: ClassifierOptions, instantiate: KernelFactory) {
    requireNatural('batch', batch);
    requireOptimiser(optimiser);
    const { balance, temperature } = resolvedLoss(loss);
    const adam = adamOf(optimiser);
    const layout = networkTensors(network);
    this.network = network;
    this.parameterCount = elementsOfAll(layout);
    this.#batch = batch;
    this.#pixels = pixelsPerImage(network.input);
    const owner = `network ${network.name} at batch ${batch}`;
    requireMemory(owner, floatsOf(network, batch));
    const kernels = instantiate();
    const self = addLayers(kernels, network, batch);
    allocating(owner, () =>
      kernels.classifier_finish(self, balance, temperature, adam.beta1, adam.beta2, adam.epsilon, adam.weightDecay),
    );
    const state = flatStateAt(kernels, kernels.classifier_parameters(self), this.parameterCount);
    const parameters = new FlatParameters(`network ${network.name}`, layout, state);
    parameters.initialise(seed);
    this.#live = {
      kernels,
      self,
      parameters,
      images: floatsAt(kernels, kernels.classifier_images(self), batch * this.#pixels),
      targets: floatsAt(kernels, kernels.classifier_targets(self), batch * network.classes),
      bytes: bytesAt(kernels, kernels.classifier_bytes(self), batch * this.#pixels),
      probabilities: floatsAt(kernels, kernels.classifier_probabilities(self), batch * network.classes),
    };
  }

  get images(): Float32Array {
    return this.#alive().images;
  }

  get targets(): Float32Array {
    return this.#alive().targets;
  }

  trainStep(count: number, learningRate: number): number {
    requireStep(count, this.#batch, learningRate);
    const { kernels, self } = this.#alive();
    const loss = kernels.classifier_step(self, count, learningRate);
    if (!Number.isFinite(loss)) throw new NanLossError(this.network.name, this.#steps + 1, loss);
    this.#steps++;
    return loss;
  }

  predict(images: Uint8Array, count: number): Float32Array {
    const { kernels, self, bytes, probabilities } = this.#alive();
    requireLength('images', images.length, count * this.#pixels);
    const classes = this.network.classes;
    const result = new Float32Array(count * classes);
    for (let begin = 0; begin < count; begin += this.#batch) {
      const some = Math.min(this.#batch, count - begin);
      bytes.set(images.subarray(begin * this.#pixels, (begin + some) * this.#pixels));
      kernels.classifier_predict(self, some);
      result.set(probabilities.subarray(0, some * classes), begin * classes);
    }
    return result;
  }

  weights(): WeightTensor[] {
    return this.#alive().parameters.tensors();
  }

  averagedWeights(): WeightTensor[] {
    return this.weights();
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
    kernels.classifier_seek(self, this.#steps);
  }

  get gradients(): Float32Array {
    const { kernels, self } = this.#alive();
    return floatsAt(kernels, kernels.parameters_gradients(kernels.classifier_parameters(self)), this.parameterCount);
  }

  get statistics(): Float32Array {
    return new Float32Array();
  }

  computeGradients(count: number, _firstImage: number): number {
    requireStep(count, this.#batch, 0);
    const { kernels, self } = this.#alive();
    const loss = kernels.classifier_gradients(self, count);
    if (!Number.isFinite(loss)) throw new NanLossError(this.network.name, this.#steps + 1, loss);
    return loss;
  }

  applyGradients(learningRate: number): void {
    const { kernels, self } = this.#alive();
    kernels.classifier_apply(self, learningRate);
    this.#steps++;
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
    if (!this.#live) throw new FailedPreconditionError(`network ${this.network.name} was disposed of; compile it anew`);
    return this.#live;
  }
}

function adamOf(optimiser: OptimiserOptions): AdamOptions {
  if (optimiser.kind === 'adam') return optimiser;
  throw new InvalidArgumentError(`the kernels have no optimiser ${optimiser.kind} yet`);
}

/** About what the kernels allocate: activations with their frames, gradients and maps, weights and moments. */
function floatsOf(network: NetworkSpec, batch: number): number {
  const perImage = shapedLayers(network).reduce(
    (sum, { spec, input, output }) => {
      const frame = spec.kind === 'conv2d' && spec.padding === 'same' ? pairOf(spec.kernelSize)[0] - 1 : 0;
      const framed = (input.height + frame) * (input.width + frame) * input.channels;
      return sum + 2 * framed + pixelsPerImage(output);
    },
    2 * pixelsPerImage(network.input),
  );
  return batch * perImage + 4 * elementsOfAll(networkTensors(network));
}

function addLayers(kernels: Kernels, network: NetworkSpec, batch: number): Pointer {
  const { height, width, channels } = network.input;
  const self = kernels.classifier_new(batch, height, width, channels);
  for (const layer of network.layers) {
    switch (layer.kind) {
      case 'conv2d':
        kernels.classifier_add_conv(
          self,
          layer.filters,
          pairOf(layer.kernelSize)[0],
          layer.padding === 'same' ? 1 : 0,
          ACTIVATION_CODES[layer.activation],
        );
        break;
      case 'max-pool2d':
        kernels.classifier_add_pool(self, pairOf(layer.poolSize)[0]);
        break;
      case 'dense':
        kernels.classifier_add_dense(self, layer.units, ACTIVATION_CODES[layer.activation]);
        break;
      case 'flatten':
        // NHWC in memory is the flat vector already.
        break;
      default:
        throw new InvalidArgumentError(
          `network ${network.name}, layer ${layer.name}: the kernels have no ${layer.kind} yet`,
        );
    }
  }
  return self;
}
