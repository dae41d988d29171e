import { describe, expect, it } from 'vitest';
import { shapedLayers } from '../../network-shapes.js';
import { networkByName } from '../../networks.js';
import { predictionChunk } from './prediction-chunk.js';

const chunkOf = (network: string, side: number) =>
  predictionChunk(shapedLayers(networkByName(network, { height: side, width: side, channels: 3 }, 10)));

describe('images predicted at once', () => {
  it.each([
    ['lenet5', 28],
    ['resnet20', 32],
  ])('%s of %i pixels a side - as many as there are', (network, side) => expect(chunkOf(network, side)).toBe(256));

  it('large images - so many as fit into the memory, one at least', () => {
    const [at96, at224, at512] = [96, 224, 512].map((side) => chunkOf('resnet20', side)) as [number, number, number];
    expect(at96).toBeLessThan(256);
    expect(at224).toBeLessThan(at96);
    expect(at512).toBeGreaterThanOrEqual(1);
    expect(chunkOf('resnet20', 4096)).toBe(1);
  });
});
