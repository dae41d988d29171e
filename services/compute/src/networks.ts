import { InvalidArgumentError, describeShape } from '@bbdistill/common/base';
import type { ImageShape } from '@bbdistill/common/base';
import type { NetworkSpec } from './engine.js';
import type { Activation, Conv2dSpec, LayerSpec } from './layers.js';

/** Below it nothing is left of the image after the second pool. */
export const MIN_LENET_EDGE = 12;
/** Below it nothing is left of the image after the third pool. */
export const MIN_ALEXNET_EDGE = 15;
/** Below it the third stack would see less than one pixel of its own. */
export const MIN_RESNET_EDGE = 4;
/** Of the convolutions' kernels in the ResNets. */
export const RESNET_L2 = 1e-4;

type NetworkBuilder = (shape: ImageShape, classes: number) => NetworkSpec;

const BUILDERS: Readonly<Record<string, NetworkBuilder>> = {
  lenet5: (shape, classes) => lenet('lenet5', 6, 16, shape, classes),
  'lenet5-half': (shape, classes) => lenet('lenet5-half', 3, 8, shape, classes),
  alexnet: (shape, classes) => alexnet('alexnet', [48, 128, 192, 192, 128], [512, 256], shape, classes),
  'alexnet-half': (shape, classes) => alexnet('alexnet-half', [24, 64, 96, 96, 64], [256, 128], shape, classes),
  resnet20: (shape, classes) => resnet('resnet20', 3, shape, classes),
  resnet32: (shape, classes) => resnet('resnet32', 5, shape, classes),
};

export const NETWORK_NAMES: readonly string[] = Object.keys(BUILDERS);

/**
 * A student of the paper (FS-BBT, ECCV 2022, §4.1) for images of this shape.
 * @throws InvalidArgumentError where the name isn't known or the shape doesn't suit the network
 */
export function networkByName(name: string, shape: ImageShape, classes: number): NetworkSpec {
  const build = builderOf(name);
  if (!Number.isSafeInteger(classes) || classes < 2) {
    throw new InvalidArgumentError(`network ${name} needs 2 or more classes, not ${classes}`);
  }
  return build(shape, classes);
}

/** @throws InvalidArgumentError where the name isn't known, whatever the images are */
export function assertNetworkName(name: string): void {
  builderOf(name);
}

function builderOf(name: string): NetworkBuilder {
  const build = Object.hasOwn(BUILDERS, name) ? BUILDERS[name] : undefined;
  if (build) return build;
  throw new InvalidArgumentError(`there is no network '${name}'; known are ${NETWORK_NAMES.join(', ')}`, {
    code: 'UNKNOWN_NETWORK',
  });
}

/** Convolutions 5x5 valid and 5x5 same, each with ReLU and a 2x2 pool, then dense 120, 84 and the classes. */
function lenet(name: string, filters1: number, filters2: number, shape: ImageShape, classes: number): NetworkSpec {
  return {
    name,
    input: inputOf(name, MIN_LENET_EDGE, shape),
    classes,
    layers: [
      { kind: 'conv2d', name: 'conv1', filters: filters1, kernelSize: 5, padding: 'valid', activation: 'relu' },
      { kind: 'max-pool2d', name: 'pool1', poolSize: 2 },
      { kind: 'conv2d', name: 'conv2', filters: filters2, kernelSize: 5, padding: 'same', activation: 'relu' },
      { kind: 'max-pool2d', name: 'pool2', poolSize: 2 },
      { kind: 'flatten', name: 'flatten' },
      { kind: 'dense', name: 'dense1', units: 120, activation: 'relu' },
      { kind: 'dense', name: 'dense2', units: 84, activation: 'relu' },
      { kind: 'dense', name: 'logits', units: classes, activation: 'linear' },
    ],
  };
}

/**
 * Five `same` convolutions with ReLU: 5x5 and 5x5, each pooled 3x3 by 2 and normalised, 3x3 and 3x3 normalised, 3x3
 * pooled and normalised; then two dense layers with ReLU, dropout of a half and batch norm each, and the classes.
 */
function alexnet(
  name: string,
  [conv1, conv2, conv3, conv4, conv5]: readonly [number, number, number, number, number],
  [dense1, dense2]: readonly [number, number],
  shape: ImageShape,
  classes: number,
): NetworkSpec {
  const conv = (at: number, filters: number, kernelSize: number): LayerSpec => ({
    ...{ kind: 'conv2d', name: `conv${at}`, filters, kernelSize, padding: 'same', activation: 'relu' },
  });
  const pool = (at: number): LayerSpec => ({ kind: 'max-pool2d', name: `pool${at}`, poolSize: 3, strides: 2 });
  const norm = (at: number): LayerSpec => ({ kind: 'batch-norm', name: `norm${at}` });
  const hidden = (at: number, units: number): LayerSpec[] => [
    { kind: 'dense', name: `dense${at}`, units, activation: 'relu' },
    { kind: 'dropout', name: `dropout${at}`, rate: 0.5 },
    norm(5 + at),
  ];
  return {
    name,
    input: inputOf(name, MIN_ALEXNET_EDGE, shape),
    classes,
    layers: [
      ...[conv(1, conv1, 5), pool(1), norm(1)],
      ...[conv(2, conv2, 5), pool(2), norm(2)],
      ...[conv(3, conv3, 3), norm(3)],
      ...[conv(4, conv4, 3), norm(4)],
      ...[conv(5, conv5, 3), pool(3), norm(5)],
      { kind: 'flatten', name: 'flatten' },
      ...hidden(1, dense1),
      ...hidden(2, dense2),
      { kind: 'dense', name: 'logits', units: classes, activation: 'linear' },
    ],
  };
}

/**
 * ResNet v1 for small images (He et al., CVPR 2016, §4.2, with Keras' 1x1 projections where a stack begins): three
 * stacks of 16, 32 and 64 filters, each of `blocks` blocks of two 3x3 convolutions around a shortcut.
 */
function resnet(name: string, blocks: number, shape: ImageShape, classes: number): NetworkSpec {
  const layers: LayerSpec[] = [];
  const conv = (
    name: string,
    input: string | undefined,
    options: Pick<Conv2dSpec, 'filters' | 'strides' | 'kernelSize'>,
  ) =>
    layers.push({
      ...{ kind: 'conv2d', name, ...(input ? { inputs: [input] } : {}), ...options },
      ...{ padding: 'same', activation: 'linear', initializer: 'he-normal', l2: RESNET_L2 },
    });
  const norm = (name: string) => layers.push({ kind: 'batch-norm', name });
  const relu = (name: string) => layers.push({ kind: 'activation', name, activation: 'relu' });
  conv('stem/conv', undefined, { filters: 16, kernelSize: 3 });
  norm('stem/norm');
  relu('stem/relu');
  let trunk = 'stem/relu';
  [16, 32, 64].forEach((filters, stack) => {
    for (let block = 0; block < blocks; block++) {
      const at = `stack${stack + 1}/block${block + 1}`;
      const isNarrowing = stack > 0 && block === 0;
      const strides = isNarrowing ? 2 : 1;
      let shortcut = trunk;
      if (isNarrowing) {
        shortcut = `${at}/shortcut`;
        conv(shortcut, trunk, { filters, kernelSize: 1, strides });
      }
      conv(`${at}/conv1`, trunk, { filters, kernelSize: 3, strides });
      norm(`${at}/norm1`);
      relu(`${at}/relu1`);
      conv(`${at}/conv2`, undefined, { filters, kernelSize: 3 });
      norm(`${at}/norm2`);
      layers.push({ kind: 'add', name: `${at}/add`, inputs: [shortcut, `${at}/norm2`] });
      trunk = `${at}/relu`;
      relu(trunk);
    }
  });
  const activation: Activation = 'linear';
  layers.push(
    { kind: 'global-average-pool2d', name: 'pool' },
    { kind: 'dense', name: 'logits', units: classes, activation, initializer: 'he-normal' },
  );
  return { name, input: inputOf(name, MIN_RESNET_EDGE, shape), classes, layers };
}

function inputOf(name: string, minEdge: number, { height, width, channels }: ImageShape): ImageShape {
  if (height < minEdge || width < minEdge || (channels !== 1 && channels !== 3)) {
    throw new InvalidArgumentError(
      `network ${name} takes images of ${minEdge}x${minEdge} or more with 1 or 3 channels, ` +
        `not ${describeShape({ height, width, channels })}; resize the images or choose another network`,
    );
  }
  return { height, width, channels };
}
