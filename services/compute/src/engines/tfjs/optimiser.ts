import type { Scalar, Tensor1D } from '@tensorflow/tfjs';
import type { OptimiserOptions } from '../../engine.js';
import type { Tfjs } from './tfjs.js';

/** Flat, over all trainable tensors. SGD keeps its velocity in the first moments and leaves the second alone. */
export interface OptimiserState {
  values: Tensor1D;
  firstMoments: Tensor1D;
  secondMoments: Tensor1D;
}

/**
 * The state after the step of this number, counted from 1; in `tf.tidy` of the caller's. Adam and AdamW as in Kingma
 * and Ba, ICLR 2015, algorithm 1, and Loshchilov and Hutter, ICLR 2019, algorithm 2 (the decay times the rate).
 */
export function optimiserStep(
  tf: Tfjs,
  options: OptimiserOptions,
  { values, firstMoments, secondMoments }: OptimiserState,
  gradients: Tensor1D,
  step: number,
  rate: number,
): OptimiserState {
  const constant = (value: number): Scalar => tf.scalar(value, 'float32');
  const times = (tensor: Tensor1D, factor: number): Tensor1D => tf.mul(tensor, constant(factor));
  const decayed = options.weightDecay === 0 ? values : times(values, 1 - rate * options.weightDecay);
  if (options.kind === 'sgd') {
    const { momentum, nesterov } = options;
    const velocity: Tensor1D = tf.add(times(firstMoments, momentum), gradients);
    const direction: Tensor1D = nesterov ? tf.add(gradients, times(velocity, momentum)) : velocity;
    // A tensor of its own, so that the old state and the new one can go independently of each other.
    return {
      values: tf.sub(decayed, times(direction, rate)),
      firstMoments: velocity,
      secondMoments: tf.clone(secondMoments),
    };
  }
  const { beta1, beta2, epsilon } = options;
  const first: Tensor1D = tf.add(times(firstMoments, beta1), times(gradients, 1 - beta1));
  const second: Tensor1D = tf.add(times(secondMoments, beta2), times(tf.square(gradients), 1 - beta2));
  const scale = rate / (1 - beta1 ** step);
  const root = tf.sqrt(times(second, 1 / (1 - beta2 ** step)));
  const update: Tensor1D = tf.div(times(first, scale), tf.add(root, constant(epsilon)));
  return { values: tf.sub(decayed, update), firstMoments: first, secondMoments: second };
}
