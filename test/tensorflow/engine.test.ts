import { createEngine } from '@bbdistill/compute';
import { loadTensorflow } from '../../services/compute/src/engines/tensorflow.js';
import { engineContract } from '../helpers/engine-contract.js';

// The prescribed package itself, its addon compiled against a current TensorFlow: `npm run setup:tensorflow`.
engineContract('tensorflow engine', async () => {
  const engine = await createEngine('tensorflow', 'never');
  const tf = loadTensorflow('tensorflow');
  return { engine, liveTensors: () => tf.memory().numTensors };
});
