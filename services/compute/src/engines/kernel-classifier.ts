import { FailedPreconditionError, pixelsPerImage } from '@bbdistill/common/base';
import type { ImagePipeline } from '../augment/index.js';
import { NanLossError } from '../engine.js';
import type { BatchShare, ClassifierOptions, NetworkSpec, SplitStepClassifier, WeightTensor } from '../engine.js';
import { elementsOfAll, graphOf, shapedLayers, tensorsOf } from '../network-shapes.js';
import {
  allocating,
  requireEma,
  requireLength,
  requireMemory,
  requireNatural,
  requireOptimiser,
  requireStep,
  resolvedLoss,
} from './checks.js';
import { FlatParameters, sliceOf } from './flat-parameters.js';
import type { FlatState } from './flat-parameters.js';
import { KernelGraph, floatsOfGraph, requireKernelLayers } from './kernel-graph.js';
import { addPipeline, pipelineAt } from './kernel-pipeline.js';
import { bytesAt, flatStateAt, floatsAt, useOptimiser } from './kernels.js';
import type { KernelFactory, Kernels, Pointer } from './kernels.js';

/** What goes with `dispose`: the instance and every view into its memory. */
interface Live {
  kernels: Kernels;
  self: Pointer;
  graph: KernelGraph;
  parameters: FlatParameters;
  state: FlatState & { gradients: Float32Array };
  moments: readonly Float32Array[];
  parts: readonly Float32Array[];
  images: Float32Array;
  targets: Float32Array;
  bytes: Uint8Array;
  probabilities: Float32Array;
  pipeline: ImagePipeline;
}

/** A classifier in an instance of the kernels of its own; one call into it per step. */
export class KernelClassifier implements SplitStepClassifier {
  readonly network: NetworkSpec;
  readonly parameterCount: number;
  readonly slice: { begin: number; end: number };
  readonly #batch: number;
  readonly #pixels: number;
  #live: Live | undefined;
  #steps = 0;

  /** @throws InvalidArgumentError naming the option or the layer that can't be */
  constructor(options: ClassifierOptions, instantiate: KernelFactory) {
    const { network, batch, seed, optimiser, ema, share } = options;
    requireNatural('batch', batch);
    requireOptimiser(optimiser);
    requireEma(ema);
    const { balance, temperature, withEntropy } = resolvedLoss(options.loss);
    const layers = shapedLayers(network);
    const layout = tensorsOf(layers);
    const graph = graphOf(network);
    this.network = network;
    this.parameterCount = elementsOfAll(layout.filter(({ isTrainable }) => isTrainable));
    this.#batch = batch;
    this.#pixels = pixelsPerImage(network.input);
    const owner = `network ${network.name} at batch ${batch}`;
    requireKernelLayers(owner, layers);
    requireMemory(owner, floatsOfGraph(graph, layers, batch) + (share ? this.parameterCount : 0));
    this.slice = sliceOf(this.parameterCount, share?.thread ?? 0, share?.images.length ?? 1);
    const kernels = instantiate();
    const { height, width, channels } = network.input;
    const [self, kernelGraph, pipeline] = allocating(owner, () => {
      const pointer = kernels.classifier_new(batch, height, width, channels);
      const built = new KernelGraph(kernels, kernels.classifier_graph(pointer), graph, layers, seed);
      kernels.classifier_finish(pointer, balance, temperature, withEntropy ? 1 : 0, ema?.decay ?? 0);
      const images = addPipeline(kernels, batch, network.input, kernels.classifier_images(pointer));
      if (share) this.#share(kernels, kernels.classifier_optimiser(pointer), share);
      return [pointer, built, images] as const;
    });
    const optimiserAt = kernels.classifier_optimiser(self);
    useOptimiser(kernels, optimiserAt, optimiser);
    const state = flatStateAt(kernels, optimiserAt, this.parameterCount, elementsOfAll(layout) - this.parameterCount);
    const parameters = new FlatParameters(`network ${network.name}`, layout, state);
    parameters.initialise(seed);
    const { begin, end } = this.slice;
    const { firstMoments, secondMoments, averages } = state;
    this.#live = {
      kernels,
      self,
      graph: kernelGraph,
      parameters,
      state,
      moments: [firstMoments, secondMoments, ...(averages ? [averages] : [])],
      parts: (share?.images ?? []).map((_, thread) =>
        floatsAt(kernels, kernels.optimiser_part(optimiserAt, thread), end - begin),
      ),
      images: floatsAt(kernels, kernels.classifier_images(self), batch * this.#pixels),
      targets: floatsAt(kernels, kernels.classifier_targets(self), batch * network.classes),
      bytes: bytesAt(kernels, kernels.classifier_bytes(self), batch * this.#pixels),
      probabilities: floatsAt(kernels, kernels.classifier_probabilities(self), batch * network.classes),
      pipeline: pipelineAt(kernels, pipeline, batch, network.input),
    };
  }

  get pipeline(): ImagePipeline {
    return this.#alive().pipeline;
  }

  get images(): Float32Array {
    return this.#alive().images;
  }

  get targets(): Float32Array {
    return this.#alive().targets;
  }

  get gradients(): Float32Array {
    return this.#alive().state.gradients;
  }

  get statistics(): Float32Array {
    return this.#alive().state.statistics;
  }

  get values(): Float32Array {
    return this.#alive().state.values;
  }

  get moments(): readonly Float32Array[] {
    return this.#alive().moments;
  }

  get parts(): readonly Float32Array[] {
    return this.#alive().parts;
  }

  trainStep(count: number, learningRate: number): number {
    requireStep(count, this.#batch, learningRate);
    const { kernels, self } = this.#alive();
    const loss = kernels.classifier_step(self, count, learningRate);
    if (!Number.isFinite(loss)) this.#fail(loss, count);
    this.#steps++;
    return loss;
  }

  computeGradients(count: number, firstImage: number): number {
    requireStep(count, this.#batch, 0);
    const { kernels, self } = this.#alive();
    const loss = kernels.classifier_backward(self, count, firstImage);
    if (!Number.isFinite(loss)) this.#fail(loss, count);
    return loss;
  }

  applyGradients(learningRate: number): void {
    requireStep(1, this.#batch, learningRate);
    const { kernels, self } = this.#alive();
    kernels.classifier_apply(self, learningRate);
    this.#steps++;
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
    return this.#alive().parameters.averagedTensors();
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

  memoryBytes(): number {
    return this.#live?.kernels.memory.buffer.byteLength ?? 0;
  }

  /** Afterwards every call but this one and `memoryBytes` throws FailedPreconditionError. */
  dispose(): void {
    this.#live?.kernels.dispose();
    this.#live = undefined;
  }

  #share(kernels: Kernels, optimiser: Pointer, { thread, images }: BatchShare): void {
    const { begin, end } = this.slice;
    const total = images.reduce((sum, count) => sum + count, 0);
    kernels.optimiser_share(optimiser, images.length, thread, begin, end);
    images.forEach((count, other) => kernels.optimiser_weigh_part(optimiser, other, count / total));
  }

  #alive(): Live {
    if (!this.#live) throw new FailedPreconditionError(`network ${this.network.name} was disposed of; compile it anew`);
    return this.#live;
  }

  /** @throws NanLossError with the first layer that holds what isn't a finite number, forward before backward */
  #fail(loss: number, count: number): never {
    const { graph, parameters, state, targets } = this.#alive();
    const used = targets.subarray(0, count * this.network.classes);
    const layer =
      graph.firstNonFinite(count) ??
      (used.every(Number.isFinite) ? parameters.firstNonFinite(state.gradients)?.replace(/\/[^/]*$/, '') : 'targets');
    throw new NanLossError(this.network.name, this.#steps + 1, loss, layer);
  }
}
