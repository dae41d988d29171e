import { InvalidArgumentError, describeShape, pixelsPerImage } from '@bbdistill/common/base';
import type { ImageShape } from '@bbdistill/common/base';
import type { NetworkSpec } from './engine.js';
import { IMAGE_INPUT, inputsOf, pairOf, spreadOf, stridesOf, windowsOf } from './layers.js';
import type { Initializer, LayerSpec, Size2d } from './layers.js';

/** Layers of one network that the kernels hold. */
export const MAX_LAYERS = 500;

/** How a fresh tensor is filled; numbers are constants. */
export type InitialValue = Initializer | number;

/** Name and shape of one tensor, in Keras layout. */
export interface TensorLayout {
  name: string;
  shape: readonly number[];
  initial: InitialValue;
  /** Inputs and outputs of one unit, as Glorot's and He's initialisers count them; 0 where the initial is a number. */
  fanIn: number;
  fanOut: number;
  /** False for batch norm's moving statistics. */
  isTrainable: boolean;
  /** The loss has l2·Σ value² of it. */
  l2: number;
}

/** A layer with what goes in and out, without the batch; flat values have shape 1x1xn. */
export interface ShapedLayer {
  spec: LayerSpec;
  /** Earlier layers or inputs of the graph. */
  inputNames: readonly string[];
  inputs: readonly ImageShape[];
  /** The first of `inputs`. */
  input: ImageShape;
  output: ImageShape;
  /** Whether the inputs and the output count as [N,features]. */
  inputsAreFlat: boolean;
  isFlat: boolean;
}

/** Layers that are no classifier of their own, e.g. a CVAE's encoder. */
export interface LayerGraph {
  /** For messages. */
  name: string;
  inputs: readonly { name: string; shape: ImageShape; isFlat: boolean }[];
  layers: readonly LayerSpec[];
}

/** A classifier's graph, checked to end in its logits. @throws InvalidArgumentError as `shapedGraph` does */
export function shapedLayers(network: NetworkSpec): ShapedLayer[] {
  const shaped = shapedGraph(graphOf(network));
  const last = shaped.at(-1);
  const activation = last && 'activation' in last.spec ? last.spec.activation : 'linear';
  if (!last?.isFlat || activation !== 'linear' || last.output.channels !== network.classes) {
    throw new InvalidArgumentError(
      `network ${network.name} must end with ${network.classes} flat linear values, one a class: ` +
        `a linear dense layer of ${network.classes} units`,
    );
  }
  return shaped;
}

export function graphOf(network: NetworkSpec): LayerGraph {
  const inputs = [{ name: IMAGE_INPUT, shape: network.input, isFlat: false }];
  return { name: `network ${network.name}`, inputs, layers: network.layers };
}

/**
 * Follows an image through the layers.
 * @throws InvalidArgumentError naming the layer that can't be, e.g. a kernel larger than its image
 */
export function shapedGraph(graph: LayerGraph): ShapedLayer[] {
  const known = new Map(graph.inputs.map(({ name, shape, isFlat }) => [name, { shape, isFlat }]));
  for (const { shape } of graph.inputs) {
    if (![shape.height, shape.width, shape.channels].every(isNatural)) {
      throw new InvalidArgumentError(`${graph.name}: its input ${describeShape(shape)} is not an image`);
    }
  }
  if (graph.layers.length > MAX_LAYERS) {
    throw new InvalidArgumentError(
      `${graph.name} has ${graph.layers.length} layers; at most ${MAX_LAYERS} are possible`,
    );
  }
  return graph.layers.map((spec, at) => {
    const wrong = (what: string) =>
      new InvalidArgumentError(`${graph.name}, layer ${spec.name} (${spec.kind}): ${what}`);
    if (known.has(spec.name)) throw wrong('another layer or input has this name; give each its own');
    const inputNames = inputsOf(graph.layers, at);
    const inputs = inputNames.map((name) => {
      const input = known.get(name);
      if (!input) throw wrong(`its input '${name}' is neither an earlier layer nor an input of the network`);
      return input;
    });
    const output = outputOf(spec, inputs, wrong);
    known.set(spec.name, output);
    const shapes = inputs.map(({ shape }) => shape);
    const [first] = inputs as [Value];
    return {
      ...{ spec, inputNames, inputs: shapes, input: first.shape, output: output.shape },
      ...{ inputsAreFlat: first.isFlat, isFlat: output.isFlat },
    };
  });
}

interface Value {
  shape: ImageShape;
  isFlat: boolean;
}

function outputOf(spec: LayerSpec, inputs: readonly Value[], wrong: (what: string) => Error): Value {
  const [first, ...others] = inputs;
  const joins = spec.kind === 'add' || spec.kind === 'concat';
  if (!first) throw wrong('it has no input');
  if (joins && others.length === 0) throw wrong('it needs two or more inputs');
  if (!joins && others.length > 0) throw wrong(`it takes one input, not ${inputs.length}`);
  const { shape, isFlat } = first;
  const along = (size: Size2d, strides: readonly [number, number], edge: typeof windowsOf, padding = spec) => {
    const [kernelHeight, kernelWidth] = pairOf(size);
    const kind = 'padding' in padding ? (padding.padding ?? 'valid') : 'valid';
    return {
      height: edge(kind, shape.height, kernelHeight, strides[0]),
      width: edge(kind, shape.width, kernelWidth, strides[1]),
    };
  };
  const left = (edges: { height: number; width: number }, channels: number): Value => {
    if (edges.height < 1 || edges.width < 1) {
      throw wrong(`nothing is left of an input of ${describeShape(shape)}; use larger images or a smaller window`);
    }
    return { shape: { ...edges, channels }, isFlat: false };
  };
  switch (spec.kind) {
    case 'conv2d':
    case 'conv2d-transpose': {
      if (isFlat) throw wrong('a convolution needs an image, but the layer before it is flat');
      if (!isNatural(spec.filters) || !pairOf(spec.kernelSize).every(isNatural)) {
        throw wrong(
          `filters (${spec.filters}) and kernelSize (${pairOf(spec.kernelSize).join('x')}) must be whole and positive`,
        );
      }
      requireKernelOptions(spec, wrong);
      const strides = requireStrides(spec, wrong);
      return left(along(spec.kernelSize, strides, spec.kind === 'conv2d' ? windowsOf : spreadOf), spec.filters);
    }
    case 'max-pool2d':
    case 'average-pool2d':
      if (isFlat) throw wrong('a pool needs an image, but the layer before it is flat');
      if (!pairOf(spec.poolSize).every(isNatural)) {
        throw wrong(`poolSize (${pairOf(spec.poolSize).join('x')}) must be whole and positive`);
      }
      return left(along(spec.poolSize, requireStrides(spec, wrong), windowsOf), shape.channels);
    case 'global-average-pool2d':
      if (isFlat) throw wrong('a pool needs an image, but the layer before it is flat');
      return { shape: { height: 1, width: 1, channels: shape.channels }, isFlat: true };
    case 'dense':
      if (!isFlat) throw wrong('a dense layer needs a flat input; put a flatten layer before it');
      if (!isNatural(spec.units)) throw wrong(`units (${spec.units}) must be whole and positive`);
      requireKernelOptions(spec, wrong);
      return { shape: { height: 1, width: 1, channels: spec.units }, isFlat: true };
    case 'batch-norm': {
      const { momentum = 0, epsilon = 1 } = spec;
      if (!(momentum >= 0 && momentum < 1)) throw wrong(`momentum (${momentum}) must be in [0, 1)`);
      if (!(epsilon > 0 && Number.isFinite(epsilon))) throw wrong(`epsilon (${epsilon}) must be above 0`);
      return first;
    }
    case 'dropout':
      if (!(spec.rate >= 0 && spec.rate < 1)) throw wrong(`rate (${spec.rate}) must be in [0, 1)`);
      return first;
    case 'activation':
      return first;
    case 'add':
      for (const other of others) {
        if (!sameShape(shape, other.shape) || other.isFlat !== isFlat) {
          throw wrong(
            `its inputs must be of one shape, but are ${describeShape(shape)} and ${describeShape(other.shape)}`,
          );
        }
      }
      return first;
    case 'concat': {
      for (const other of others) {
        const { height, width } = other.shape;
        if (height !== shape.height || width !== shape.width || other.isFlat !== isFlat) {
          throw wrong(
            `its inputs must have the same edges, but are ${describeShape(shape)} and ${describeShape(other.shape)}`,
          );
        }
      }
      const channels = inputs.reduce((sum, input) => sum + input.shape.channels, 0);
      return { shape: { ...shape, channels }, isFlat };
    }
    case 'flatten':
      return { shape: { height: 1, width: 1, channels: pixelsPerImage(shape) }, isFlat: true };
    case 'reshape': {
      const { height, width, channels } = spec.shape;
      if (![height, width, channels].every(isNatural) || pixelsPerImage(spec.shape) !== pixelsPerImage(shape)) {
        throw wrong(`${describeShape(shape)} can't become ${describeShape(spec.shape)}: the number of values differs`);
      }
      return { shape: { height, width, channels }, isFlat: false };
    }
  }
}

function requireStrides(
  spec: Parameters<typeof stridesOf>[0],
  wrong: (what: string) => Error,
): readonly [number, number] {
  const strides = stridesOf(spec);
  if (!strides.every(isNatural)) throw wrong(`strides (${strides.join(', ')}) must be whole and positive`);
  return strides;
}

function requireKernelOptions({ l2 = 0 }: { l2?: number }, wrong: (what: string) => Error): void {
  if (!(l2 >= 0 && Number.isFinite(l2))) throw wrong(`l2 (${l2}) must be 0 or more`);
}

function sameShape(a: ImageShape, b: ImageShape): boolean {
  return a.height === b.height && a.width === b.width && a.channels === b.channels;
}

/** All tensors in the order of the layers; kernel before bias; gamma, beta, moving mean, moving variance. */
export function networkTensors(network: NetworkSpec): TensorLayout[] {
  return tensorsOf(shapedLayers(network));
}

/** As `networkTensors`, of any graph. */
export function tensorsOf(layers: readonly ShapedLayer[]): TensorLayout[] {
  return layers.flatMap(({ spec, input }): TensorLayout[] => {
    switch (spec.kind) {
      case 'conv2d':
      case 'conv2d-transpose': {
        const [height, width] = pairOf(spec.kernelSize);
        const area = height * width;
        const [inputs, outputs] = [input.channels, spec.filters];
        const shape = spec.kind === 'conv2d' ? [height, width, inputs, outputs] : [height, width, outputs, inputs];
        return kernelTensors(spec, shape, outputs, area * inputs, area * outputs);
      }
      case 'dense':
        return kernelTensors(spec, [input.channels, spec.units], spec.units, input.channels, spec.units);
      case 'batch-norm': {
        const tensor = (name: string, initial: number, isTrainable: boolean): TensorLayout => ({
          ...{ name: `${spec.name}/${name}`, shape: [input.channels], initial, isTrainable },
          ...{ fanIn: 0, fanOut: 0, l2: 0 },
        });
        return [
          tensor('gamma', 1, true),
          tensor('beta', 0, true),
          tensor('moving_mean', 0, false),
          tensor('moving_variance', 1, false),
        ];
      }
      default:
        return [];
    }
  });
}

export function elementsOfAll(tensors: readonly TensorLayout[]): number {
  return tensors.reduce((sum, { shape }) => sum + elementsOf(shape), 0);
}

export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Trainable numbers of a network. */
export function parameterCount(network: NetworkSpec): number {
  return elementsOfAll(networkTensors(network).filter(({ isTrainable }) => isTrainable));
}

function kernelTensors(
  spec: { name: string; useBias?: boolean; initializer?: Initializer; l2?: number },
  shape: readonly number[],
  outputs: number,
  fanIn: number,
  fanOut: number,
): TensorLayout[] {
  const { name, useBias = true, initializer = 'glorot-uniform', l2 = 0 } = spec;
  const kernel = { name: `${name}/kernel`, shape, initial: initializer, fanIn, fanOut, isTrainable: true, l2 };
  const bias = { name: `${name}/bias`, shape: [outputs], initial: 0, fanIn: 0, fanOut: 0, isTrainable: true, l2: 0 };
  return useBias ? [kernel, bias] : [kernel];
}

function isNatural(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}
