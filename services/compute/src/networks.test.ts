import { describe, expect, it } from 'vitest';
import type { LayerSpec, NetworkSpec } from './engine.js';
import { parameterCount, shapedLayers } from './network-shapes.js';
import { networkByName } from './networks.js';

const RGB_32 = { height: 32, width: 32, channels: 3 };
const GREY_28 = { height: 28, width: 28, channels: 1 };

describe("networks - the paper's students", () => {
  it.each([
    // 5·5·1·6+6, 5·5·6·16+16, 576·120+120, 120·84+84, 84·10+10
    ['lenet5', GREY_28, 10, 156 + 2416 + 69240 + 10164 + 850],
    // 5·5·1·3+3, 5·5·3·8+8, 288·120+120, 120·84+84, 84·10+10
    ['lenet5-half', GREY_28, 10, 78 + 608 + 34680 + 10164 + 850],
    // 5·5·3·24+24, 5·5·24·64+64, 9·64·96+96, 9·96·96+96, 9·96·64+64; 3·3·64 = 576 flat; twice the channels of each norm
    [
      'alexnet-half',
      RGB_32,
      10,
      1824 + 38464 + 55392 + 83040 + 55360 + 147712 + 32896 + 1290 + 2 * (24 + 64 + 96 + 96 + 64 + 256 + 128),
    ],
    [
      'alexnet',
      RGB_32,
      10,
      3648 + 153728 + 221376 + 331968 + 221312 + 590336 + 131328 + 2570 + 2 * (48 + 128 + 192 + 192 + 128 + 512 + 256),
    ],
    // as Keras counts the trainable parameters of its example's ResNet20v1 and ResNet32v1 for ten classes
    ['resnet20', RGB_32, 10, 273_066],
    ['resnet20', RGB_32, 100, 273_066 + 90 * 65],
    ['resnet32', RGB_32, 10, 467_946],
    ['lenet5', RGB_32, 100, 456 + 2416 + 784 * 120 + 120 + 10164 + 8500],
    ['lenet5-half', { height: 12, width: 13, channels: 1 }, 2, 78 + 608 + 32 * 120 + 120 + 10164 + 170],
  ] as const)('%s for %j has the right number of parameters', (name, shape, classes, expected) => {
    expect(parameterCount(networkByName(name, shape, classes))).toBe(expected);
  });

  it('lenet5 halves the image twice and keeps it in the second convolution', () => {
    const shapes = shapedLayers(networkByName('lenet5', GREY_28, 10)).map(
      ({ output: { height, width, channels } }) => `${height}x${width}x${channels}`,
    );
    expect(shapes).toEqual(['24x24x6', '12x12x6', '12x12x16', '6x6x16', '1x1x576', '1x1x120', '1x1x84', '1x1x10']);
  });

  it.each([
    ['lenet6', GREY_28, 10, /no network 'lenet6'; known are lenet5, lenet5-half/],
    ['constructor', GREY_28, 10, /no network 'constructor'/],
    ['lenet5', { height: 11, width: 28, channels: 1 }, 10, /12x12 or more .* not 11x28x1/],
    ['lenet5', { height: 28, width: 28, channels: 2 }, 10, /1 or 3 channels, not 28x28x2/],
    ['lenet5', GREY_28, 1, /2 or more classes, not 1/],
  ] as const)('%s for %j and %i classes is refused', (name, shape, classes, message) => {
    expect(() => networkByName(name, shape, classes)).toThrow(message);
  });
});

describe('networks - layers that can not be', () => {
  const flatten: LayerSpec = { kind: 'flatten', name: 'flatten' };
  const logits: LayerSpec = { kind: 'dense', name: 'logits', units: 3, activation: 'linear' };
  const conv: LayerSpec = {
    kind: 'conv2d',
    name: 'conv',
    filters: 2,
    kernelSize: 3,
    padding: 'valid',
    activation: 'relu',
  };
  const pool: LayerSpec = { kind: 'max-pool2d', name: 'pool', poolSize: 2 };

  it.each([
    [[{ ...conv, kernelSize: 9 }, flatten, logits], /layer conv .* nothing is left of an input of 8x8x1/],
    [[{ ...pool, poolSize: 9 }, flatten, logits], /layer pool .* nothing is left/],
    [[{ ...pool, poolSize: 1.5 }, flatten, logits], /poolSize \(1.5x1.5\)/],
    [[{ ...conv, filters: 0 }, flatten, logits], /filters \(0\)/],
    [[flatten, { ...logits, name: 'hidden', units: -1 }, logits], /units \(-1\)/],
    [[logits], /needs a flat input/],
    [[flatten, conv, logits], /a convolution needs an image/],
    [[flatten, pool, logits], /a pool needs an image/],
    [[conv, conv, flatten, logits], /another layer or input has this name/],
    [[flatten], /must end with 3 flat linear values/],
    [[flatten, { ...logits, activation: 'sigmoid' }], /must end with 3 flat linear values/],
    [[flatten, { ...logits, units: 4 }], /must end with 3 flat linear values/],
    [[flatten, ...Array.from({ length: 500 }, (_, i) => ({ ...logits, name: `d${i}` }))], /at most 500/],
  ] as [LayerSpec[], RegExp][])('%# is refused with its name', (layers, message) => {
    const network: NetworkSpec = { name: 'odd', input: { height: 8, width: 8, channels: 1 }, classes: 3, layers };
    expect(() => shapedLayers(network)).toThrow(message);
  });

  it('an input without pixels is refused', () => {
    const network: NetworkSpec = {
      name: 'odd',
      input: { height: 0, width: 8, channels: 1 },
      classes: 3,
      layers: [flatten, logits],
    };
    expect(() => shapedLayers(network)).toThrow(/0x8x1 is not an image/);
  });
});
