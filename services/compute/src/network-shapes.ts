import { InvalidArgumentError, describeShape } from '@bbdistill/common';
import type { ImageShape } from '@bbdistill/common';
import type { LayerSpec, NetworkSpec } from './engine.js';

/** Layers of one network that the kernels hold. */
export const MAX_LAYERS = 64;

/** Name and shape of one trainable tensor, in Keras layout. */
export interface TensorLayout {
  name: string;
  shape: readonly number[];
  /** Inputs and outputs of one unit, as Glorot's initialiser counts them; 0 for a bias. */
  fanIn: number;
  fanOut: number;
}

/** A layer with what goes in and out, without the batch; dense layers have shape 1x1xunits. */
export interface ShapedLayer {
  spec: LayerSpec;
  input: ImageShape;
  output: ImageShape;
}

/**
 * Follows an image through the network.
 * @throws InvalidArgumentError naming the layer that can't be, e.g. a kernel larger than its image
 */
export function shapedLayers(network: NetworkSpec): ShapedLayer[] {
  const shaped: ShapedLayer[] = [];
  const names = new Set<string>();
  let shape = network.input;
  let isFlat = false;
  if (![shape.height, shape.width, shape.channels].every(isNatural)) {
    throw new InvalidArgumentError(`network ${network.name}: its input ${describeShape(shape)} is not an image`);
  }
  for (const spec of network.layers) {
    const wrong = (what: string) =>
      new InvalidArgumentError(`network ${network.name}, layer ${spec.name} (${spec.kind}): ${what}`);
    if (names.has(spec.name)) throw wrong('another layer has this name; give each its own');
    names.add(spec.name);
    const input = shape;
    switch (spec.kind) {
      case 'conv2d': {
        if (isFlat) throw wrong('a convolution needs an image, but the layer before it is flat');
        if (!isNatural(spec.filters) || !isNatural(spec.kernelSize)) {
          throw wrong(`filters (${spec.filters}) and kernelSize (${spec.kernelSize}) must be whole and positive`);
        }
        const shrink = spec.padding === 'same' ? 0 : spec.kernelSize - 1;
        shape = { height: shape.height - shrink, width: shape.width - shrink, channels: spec.filters };
        break;
      }
      case 'max-pool2d':
        if (isFlat) throw wrong('a pool needs an image, but the layer before it is flat');
        if (!isNatural(spec.poolSize)) throw wrong(`poolSize (${spec.poolSize}) must be whole and positive`);
        shape = {
          height: Math.floor(shape.height / spec.poolSize),
          width: Math.floor(shape.width / spec.poolSize),
          channels: shape.channels,
        };
        break;
      case 'flatten':
        shape = { height: 1, width: 1, channels: shape.height * shape.width * shape.channels };
        isFlat = true;
        break;
      case 'dense':
        if (!isFlat) throw wrong('a dense layer needs a flat input; put a flatten layer before it');
        if (!isNatural(spec.units)) throw wrong(`units (${spec.units}) must be whole and positive`);
        shape = { height: 1, width: 1, channels: spec.units };
        break;
    }
    if (shape.height < 1 || shape.width < 1) {
      throw wrong(`nothing is left of an input of ${describeShape(input)}; use larger images or a smaller window`);
    }
    shaped.push({ spec, input, output: shape });
  }
  const last = network.layers.at(-1);
  if (last?.kind !== 'dense' || last.activation !== 'linear' || last.units !== network.classes) {
    throw new InvalidArgumentError(
      `network ${network.name} must end with a linear dense layer of ${network.classes} units, one a class`,
    );
  }
  if (shaped.length > MAX_LAYERS) {
    throw new InvalidArgumentError(
      `network ${network.name} has ${shaped.length} layers; at most ${MAX_LAYERS} are possible`,
    );
  }
  return shaped;
}

/** The trainable tensors in the order of the layers, kernel before bias. */
export function networkTensors(network: NetworkSpec): TensorLayout[] {
  return shapedLayers(network).flatMap(({ spec, input }) => {
    if (spec.kind === 'conv2d') {
      const area = spec.kernelSize * spec.kernelSize;
      return layerTensors(
        spec.name,
        [spec.kernelSize, spec.kernelSize, input.channels, spec.filters],
        area * input.channels,
        area * spec.filters,
      );
    }
    return spec.kind === 'dense' ? denseTensors(spec.name, input.channels, spec.units) : [];
  });
}

/** Kernel [inputs,units] and bias [units]. */
export function denseTensors(name: string, inputs: number, units: number): TensorLayout[] {
  return layerTensors(name, [inputs, units], inputs, units);
}

export function elementsOfAll(tensors: readonly TensorLayout[]): number {
  return tensors.reduce((sum, { shape }) => sum + elementsOf(shape), 0);
}

export function elementsOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** Trainable numbers of a network. */
export function parameterCount(network: NetworkSpec): number {
  return elementsOfAll(networkTensors(network));
}

function layerTensors(name: string, shape: readonly number[], fanIn: number, fanOut: number): TensorLayout[] {
  return [
    { name: `${name}/kernel`, shape, fanIn, fanOut },
    { name: `${name}/bias`, shape: [shape.at(-1) ?? 0], fanIn: 0, fanOut: 0 },
  ];
}

function isNatural(value: number): boolean {
  return Number.isSafeInteger(value) && value > 0;
}
