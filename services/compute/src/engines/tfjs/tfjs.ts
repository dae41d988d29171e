import type * as tfjs from '@tensorflow/tfjs';

/** TensorFlow.js with the backend that it is to compute on: of tfjs-node, tfjs-node-gpu, WebGPU, or plain. */
export type Tfjs = typeof tfjs;
