import { InvalidArgumentError, describeShape } from '@bbdistill/common';
import type { ImageShape } from '@bbdistill/common';
import type { NetworkSpec } from './engine.js';

/** Below it nothing is left of the image after the second pool. */
export const MIN_LENET_EDGE = 12;

type NetworkBuilder = (shape: ImageShape, classes: number) => NetworkSpec;

const BUILDERS: Readonly<Record<string, NetworkBuilder>> = {
  lenet5: (shape, classes) => lenet('lenet5', 6, 16, shape, classes),
  'lenet5-half': (shape, classes) => lenet('lenet5-half', 3, 8, shape, classes),
};

export const NETWORK_NAMES: readonly string[] = Object.keys(BUILDERS);

/**
 * A student of the paper (FS-BBT, ECCV 2022, §4.1) for images of this shape.
 * @throws InvalidArgumentError where the name isn't known or the shape doesn't suit the network
 */
export function networkByName(name: string, shape: ImageShape, classes: number): NetworkSpec {
  const build = Object.hasOwn(BUILDERS, name) ? BUILDERS[name] : undefined;
  if (!build) {
    throw new InvalidArgumentError(`there is no network '${name}'; known are ${NETWORK_NAMES.join(', ')}`, {
      code: 'UNKNOWN_NETWORK',
    });
  }
  if (!Number.isSafeInteger(classes) || classes < 2) {
    throw new InvalidArgumentError(`network ${name} needs 2 or more classes, not ${classes}`);
  }
  return build(shape, classes);
}

/** Convolutions 5x5 valid and 5x5 same, each with ReLU and a 2x2 pool, then dense 120, 84 and the classes. */
function lenet(name: string, filters1: number, filters2: number, shape: ImageShape, classes: number): NetworkSpec {
  const { height, width, channels } = shape;
  if (height < MIN_LENET_EDGE || width < MIN_LENET_EDGE || (channels !== 1 && channels !== 3)) {
    throw new InvalidArgumentError(
      `network ${name} takes images of ${MIN_LENET_EDGE}x${MIN_LENET_EDGE} or more with 1 or 3 channels, ` +
        `not ${describeShape(shape)}; resize the images or choose another network`,
    );
  }
  return {
    name,
    input: { height, width, channels },
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
