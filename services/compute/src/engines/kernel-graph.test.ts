import { describe, expect, it } from 'vitest';
import { DEFAULT_ADAM } from '../engine.js';
import type { LayerSpec, NetworkSpec } from '../engine.js';
import { graphOf, shapedLayers } from '../network-shapes.js';
import { assertTrainable, floatsOfGraph } from './kernel-graph.js';
import { createWasmEngine } from './wasm.js';

const conv = (name: string): LayerSpec => ({
  ...{ kind: 'conv2d', name, filters: 4, kernelSize: 3, padding: 'same', activation: 'relu' },
});

/** Every convolution sees all that came before it. */
function denselyConnected(blocks: number): NetworkSpec {
  const layers: LayerSpec[] = [conv('conv0')];
  for (let block = 1; block <= blocks; block++) {
    const inputs = Array.from({ length: block }, (_, before) => `conv${before}`);
    if (block > 1) layers.push({ kind: 'concat', name: `join${block}`, inputs });
    layers.push(conv(`conv${block}`));
  }
  layers.push({ kind: 'global-average-pool2d', name: 'pool' });
  layers.push({ kind: 'dense', name: 'logits', units: 3, activation: 'linear' });
  return { name: 'dense-net', input: { height: 8, width: 8, channels: 1 }, classes: 3, layers };
}

describe('a network with many joins', () => {
  it('is refused before the training, where the kernels could not hold its layers', () =>
    expect(() => assertTrainable(denselyConnected(47), 4)).toThrow(/has 1131 layers.*at most 1024/s));

  it('takes no more memory than it was said to', () => {
    const network = denselyConnected(30);
    assertTrainable(network, 8);
    const loss = { balance: 0, temperature: 1 };
    const classifier = createWasmEngine().createClassifier({
      network,
      batch: 8,
      seed: 1,
      loss,
      optimiser: DEFAULT_ADAM,
    });
    const estimate = 4 * floatsOfGraph(graphOf(network), shapedLayers(network), 8);
    expect(classifier.memoryBytes()).toBeLessThanOrEqual(estimate);
    classifier.dispose();
  });
});
