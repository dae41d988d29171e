import { InvalidArgumentError, pixelsPerImage } from '@bbdistill/common/base';
import { dropoutSeed } from '../dropout.js';
import { DEFAULT_BATCH_NORM_EPSILON, DEFAULT_BATCH_NORM_MOMENTUM, paddingOf, pairOf, stridesOf } from '../layers.js';
import type { Conv2dSpec, Conv2dTransposeSpec } from '../layers.js';
import type { NetworkSpec } from '../engine.js';
import { elementsOf, graphOf, shapedLayers, tensorsOf } from '../network-shapes.js';
import type { LayerGraph, ShapedLayer } from '../network-shapes.js';
import { requireMemory } from './checks.js';
import { ACTIVATION_CODES } from './kernels.js';
import type { Kernels, Pointer } from './kernels.js';

/** A graph in the kernels, and what its tensors are called. */
export class KernelGraph {
  /** By the kernels' number: a layer's name, or an input's. */
  readonly #names: string[];

  /**
   * Adds the layers to a graph that has its inputs already.
   * @param seed of dropout
   */
  constructor(
    private readonly kernels: Kernels,
    private readonly pointer: Pointer,
    graph: LayerGraph,
    layers: readonly ShapedLayer[],
    seed: number,
  ) {
    this.#names = graph.inputs.map(({ name }) => name);
    const numbers = new Map(this.#names.map((name, number) => [name, number]));
    for (const layer of layers) {
      const inputs = layer.inputNames.map((name) => numbers.get(name)!);
      numbers.set(layer.spec.name, this.#add(layer, inputs as [number, ...number[]], seed));
    }
  }

  /** The name of the first tensor that holds what isn't a finite number, after a forward pass of `count` images. */
  firstNonFinite(count: number): string | undefined {
    return this.#names[this.kernels.graph_first_nonfinite(this.pointer, count)];
  }

  #add({ spec, output }: ShapedLayer, [input, ...others]: [number, ...number[]], seed: number): number {
    const { kernels, pointer } = this;
    const named = (number: number) => {
      this.#names[number] = spec.name;
      return number;
    };
    switch (spec.kind) {
      case 'conv2d':
        return named(kernels.graph_add_conv(pointer, input, ...convArguments(spec)));
      case 'conv2d-transpose':
        return named(kernels.graph_add_conv_transpose(pointer, input, ...convArguments(spec)));
      case 'max-pool2d':
      case 'average-pool2d': {
        const averages = spec.kind === 'average-pool2d' ? 1 : 0;
        const same = spec.padding === 'same' ? 1 : 0;
        const [height, width] = pairOf(spec.poolSize);
        return named(kernels.graph_add_pool(pointer, input, averages, height, width, ...stridesOf(spec), same));
      }
      case 'global-average-pool2d':
        return named(kernels.graph_add_global_average(pointer, input));
      case 'dense': {
        const { units, useBias = true, activation, l2 = 0 } = spec;
        return named(kernels.graph_add_dense(pointer, input, units, useBias ? 1 : 0, ACTIVATION_CODES[activation], l2));
      }
      case 'batch-norm': {
        const { momentum = DEFAULT_BATCH_NORM_MOMENTUM, epsilon = DEFAULT_BATCH_NORM_EPSILON } = spec;
        return named(kernels.graph_add_batch_norm(pointer, input, momentum, epsilon));
      }
      case 'dropout':
        return named(kernels.graph_add_dropout(pointer, input, spec.rate, dropoutSeed(seed, spec.name)));
      case 'activation':
        return named(kernels.graph_add_activation(pointer, input, ACTIVATION_CODES[spec.activation]));
      case 'add':
        return others.reduce((sum, other) => named(kernels.graph_add_sum(pointer, sum, other)), input);
      case 'concat':
        return others.reduce((left, other) => named(kernels.graph_add_concat(pointer, left, other)), input);
      case 'flatten':
      case 'reshape':
        return named(kernels.graph_add_reshape(pointer, input, output.height, output.width, output.channels));
    }
  }
}

function convArguments(spec: Conv2dSpec | Conv2dTransposeSpec) {
  const [height, width] = pairOf(spec.kernelSize);
  const [strideY, strideX] = stridesOf(spec);
  const { filters, padding, useBias = true, activation, l2 = 0 } = spec;
  const same = padding === 'same' ? 1 : 0;
  return [...[filters, height, width, strideY, strideX, same, useBias ? 1 : 0, ACTIVATION_CODES[activation], l2]] as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
}

/** Of one graph, as in `kernels/graph.h`. */
const MAX_KERNEL_LAYERS = 1024;

/** What a layer gives: the kernels join two at a time, so that of n inputs joined there are n − 1 results. */
function resultsOf({ spec, inputs, output }: ShapedLayer): number[] {
  const pixels = inputs.map((shape) => pixelsPerImage(shape));
  if (spec.kind === 'add') return pixels.slice(1);
  if (spec.kind === 'concat') {
    let joined = pixels[0]!;
    return pixels.slice(1).map((more) => (joined += more));
  }
  return [pixelsPerImage(output)];
}

/** @throws InvalidArgumentError where the kernels couldn't hold a graph's layers, however small they are */
export function requireKernelLayers(owner: string, layers: readonly ShapedLayer[]): void {
  const count = layers.reduce((sum, layer) => sum + resultsOf(layer).length, 0);
  if (count > MAX_KERNEL_LAYERS) {
    throw new InvalidArgumentError(
      `${owner} has ${count} layers, each join of n inputs counted n - 1 times; at most ${MAX_KERNEL_LAYERS} are ` +
        'possible: join fewer',
      { code: 'NETWORK_TOO_LARGE' },
    );
  }
}

/**
 * Refuses a training of which the kernels couldn't hold the network.
 * @throws InvalidArgumentError as compiling it would
 */
export function assertTrainable(network: NetworkSpec, batch: number): void {
  const layers = shapedLayers(network);
  requireKernelLayers(`network ${network.name}`, layers);
  requireMemory(`network ${network.name} at batch ${batch}`, floatsOfGraph(graphOf(network), layers, batch));
}

/** About what the kernels allocate: activations with their frames, gradients and maps, weights and moments. */
export function floatsOfGraph(graph: LayerGraph, layers: readonly ShapedLayer[], batch: number): number {
  const inputs = graph.inputs.reduce((sum, { shape }) => sum + 3 * pixelsPerImage(shape), 0);
  const perImage = layers.reduce((sum, layer) => {
    const { spec, input, output } = layer;
    let framed = 0;
    if (spec.kind === 'conv2d' || spec.kind === 'conv2d-transpose') {
      const [kernelHeight, kernelWidth] = pairOf(spec.kernelSize);
      const [strideY, strideX] = stridesOf(spec);
      const { height, width, channels } = spec.kind === 'conv2d' ? input : output;
      const [top, bottom] = paddingOf(spec.padding, height, kernelHeight, strideY);
      const [left, right] = paddingOf(spec.padding, width, kernelWidth, strideX);
      framed = ((height + top + bottom) * (width + left + right) - height * width) * channels;
    }
    return sum + 2 * framed + resultsOf(layer).reduce((all, pixels) => all + 3 * pixels, 0);
  }, inputs);
  const weights = tensorsOf(layers).reduce((sum, { shape }) => sum + elementsOf(shape), 0);
  return batch * perImage + 6 * weights;
}
