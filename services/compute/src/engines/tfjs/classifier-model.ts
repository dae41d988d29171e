import { pixelsPerImage } from '@bbdistill/common/base';
import type { Scalar, Tensor, Tensor2D } from '@tensorflow/tfjs';
import { dropoutMask, dropoutSeed } from '../../dropout.js';
import type { NetworkSpec } from '../../engine.js';
import { IMAGE_INPUT } from '../../layers.js';
import { shapedLayers } from '../../network-shapes.js';
import type { ShapedLayer } from '../../network-shapes.js';
import type { ResolvedLoss } from '../checks.js';
import { runLayers } from './layers.js';
import type { Tensors } from './layers.js';
import { prepareTargets } from './targets.js';
import type { Tfjs } from './tfjs.js';
import type { LossFunction } from './trainer.js';

/** A classifier's computations; everything that it makes goes with `tf.tidy` of the caller's. */
export class ClassifierModel {
  readonly layers: readonly ShapedLayer[];
  readonly #pixels: number;

  constructor(
    private readonly tf: Tfjs,
    private readonly network: NetworkSpec,
    private readonly loss: ResolvedLoss,
    private readonly seed: number,
  ) {
    this.layers = shapedLayers(network);
    this.#pixels = pixelsPerImage(network.input);
  }

  /**
   * balance·CE(hard) + (1−balance)·T²·KL(soft at T), a mean over the images (Hinton et al., 2015).
   * @param step counted from 0: dropout goes by it
   */
  lossOf(images: Float32Array, targets: Float32Array, count: number, step: number): LossFunction {
    const { tf, loss } = this;
    const classes = this.network.classes;
    return (weights, statistics) => {
      const logits = this.#train(images, count, step, weights, statistics);
      const { soft, logSoft, hard } = prepareTargets(targets, count, classes, loss);
      const matrix = (data: Float32Array) => tf.tensor2d(data, [count, classes]);
      const parts: Scalar[] = [];
      if (loss.balance !== 1) {
        const logAnswer = tf.logSoftmax(tf.div<Tensor2D>(logits, loss.temperature));
        const divergence = tf.sum<Scalar>(tf.mul(matrix(soft), tf.sub(matrix(logSoft), logAnswer)));
        parts.push(tf.mul(divergence, ((1 - loss.balance) * loss.temperature ** 2) / count));
      }
      if (loss.balance !== 0) {
        const agreement = tf.sum<Scalar>(tf.mul(matrix(hard), tf.logSoftmax(logits)));
        parts.push(tf.mul(agreement, -loss.balance / count));
      }
      return parts.reduce((sum, part) => tf.add<Scalar>(sum, part));
    };
  }

  /** Probabilities [count,K] of uint8 images. */
  probabilities(images: Uint8Array, count: number, weights: Tensors): Tensor2D {
    const values = Float32Array.from(images, (byte) => byte / 255);
    const outputs = runLayers(this.tf, this.layers, this.#inputs(values, count), weights, { training: false });
    return this.tf.softmax(lastOf(outputs) as Tensor2D);
  }

  /** What every layer gives in this step, to find where a number went wrong. */
  layerOutputs(images: Float32Array, count: number, step: number, weights: Tensors): Map<string, Tensor> {
    return this.#outputs(images, count, step, weights, new Map());
  }

  #train(
    images: Float32Array,
    count: number,
    step: number,
    weights: Tensors,
    statistics: Map<string, Tensor>,
  ): Tensor2D {
    return lastOf(this.#outputs(images, count, step, weights, statistics)) as Tensor2D;
  }

  #outputs(
    images: Float32Array,
    count: number,
    step: number,
    weights: Tensors,
    statistics: Map<string, Tensor>,
  ): Map<string, Tensor> {
    const inputs = this.#inputs(images.subarray(0, count * this.#pixels), count);
    return runLayers(this.tf, this.layers, inputs, weights, {
      training: true,
      step,
      statistics,
      dropoutMask: ({ name, rate }, features) => {
        const mask = new Float32Array(count * features);
        dropoutMask(dropoutSeed(this.seed, name), step, rate, 0, mask);
        return this.tf.tensor2d(mask, [count, features]);
      },
    });
  }

  #inputs(values: Float32Array, count: number): Tensors {
    const { height, width, channels } = this.network.input;
    return new Map([[IMAGE_INPUT, this.tf.tensor4d(values, [count, height, width, channels])]]);
  }
}

function lastOf(outputs: Map<string, Tensor>): Tensor | undefined {
  return [...outputs.values()].at(-1);
}
