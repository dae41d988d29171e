import * as tf from '@tensorflow/tfjs';
import { engineContract } from '../../../../../test/helpers/engine-contract.js';
import { createTfjsEngine } from './engine.js';

// The plain `cpu` backend: slow, and nobody's compiler optimised it.
engineContract('tfjs engine on the cpu backend', async () => {
  await tf.setBackend('cpu');
  return {
    engine: createTfjsEngine(tf, { name: 'tensorflow', description: 'plain TensorFlow.js' }),
    liveTensors: () => tf.memory().numTensors,
  };
});
