import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import { engineContract } from '../../../../../test/helpers/engine-contract.js';
import { DEFAULT_ADAM } from '../../engine.js';
import { DECODING_CHUNK } from './cvae.js';
import { createTfjsEngine } from './engine.js';

// The plain `cpu` backend: slow, and nobody's compiler optimised it.
engineContract('tfjs engine on the cpu backend', async () => {
  await tf.setBackend('cpu');
  return {
    engine: createTfjsEngine(tf, { name: 'tensorflow', description: 'plain TensorFlow.js' }),
    liveTensors: () => tf.memory().numTensors,
  };
});

describe('tfjs engine - decoding', () => {
  it('is of one size on the device, however many images are asked for, so that none depends on their number', async () => {
    await tf.setBackend('cpu');
    const sizes: number[] = [];
    const tensor2d = ((values: Float32Array, shape: [number, number]) => {
      sizes.push(shape[0]);
      return tf.tensor2d(values, shape);
    }) as typeof tf.tensor2d;
    const engine = createTfjsEngine({ ...tf, tensor2d }, { name: 'tensorflow', description: 'plain TensorFlow.js' });
    const cvae = engine.createCvae({
      ...{ shape: { height: 3, width: 4, channels: 1 }, classes: 2, latent: 2, batch: 1, seed: 1 },
      ...{ architecture: { kind: 'dense', hidden: [5] }, optimiser: DEFAULT_ADAM },
    });
    const most = DECODING_CHUNK + 44;
    const latents = Float32Array.from({ length: most * 2 }, (_, at) => Math.sin(at));
    const conditions = Float32Array.from({ length: most * 2 }, (_, at) => at % 2);
    const all = cvae.decode(latents, conditions, most);
    for (const count of [0, 1, 64, DECODING_CHUNK, DECODING_CHUNK + 1]) {
      expect(cvae.decode(latents, conditions, count)).toEqual(all.subarray(0, count * 12));
    }
    expect(sizes.length).toBeGreaterThan(0);
    expect(new Set(sizes)).toEqual(new Set([DECODING_CHUNK]));
    cvae.dispose();
  });
});
