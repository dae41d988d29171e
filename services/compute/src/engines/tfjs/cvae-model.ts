import type { Scalar, Tensor, Tensor2D } from '@tensorflow/tfjs';
import { CONDITION_INPUT, LATENT_INPUT, cvaeGraphs } from '../../cvae-networks.js';
import type { CvaeOptions } from '../../engine.js';
import { IMAGE_INPUT } from '../../layers.js';
import { shapedGraph } from '../../network-shapes.js';
import type { ShapedLayer } from '../../network-shapes.js';
import { runLayers } from './layers.js';
import type { Mode, Tensors } from './layers.js';
import type { Tfjs } from './tfjs.js';
import type { LossFunction } from './trainer.js';

type Shape = Pick<CvaeOptions, 'shape' | 'classes' | 'latent' | 'architecture'>;

/** A conditional VAE's computations; everything that it makes goes with `tf.tidy` of the caller's. */
export class CvaeModel {
  readonly encoder: readonly ShapedLayer[];
  readonly decoder: readonly ShapedLayer[];

  constructor(
    private readonly tf: Tfjs,
    private readonly options: Shape,
  ) {
    const graphs = cvaeGraphs(options);
    this.encoder = shapedGraph(graphs.encoder);
    this.decoder = shapedGraph(graphs.decoder);
  }

  /**
   * Σ binary cross-entropy over the pixels + KL(q(z|x) ‖ N(0,I)), a mean over the images (Kingma and Welling, ICLR
   * 2014, equation 10), with z = mean + exp(log-variance / 2)·noise.
   * @param step counted from 0
   */
  lossOf(
    images: Float32Array,
    conditions: Float32Array,
    noise: Float32Array,
    count: number,
    step: number,
  ): LossFunction {
    const { tf } = this;
    const { shape, classes, latent } = this.options;
    const pixels = shape.height * shape.width * shape.channels;
    return (weights, statistics) => {
      const mode: Mode = { training: true, step, statistics, dropoutMask: refuseDropout };
      const matrix = (data: Float32Array, width: number) =>
        tf.tensor2d(data.subarray(0, count * width), [count, width]);
      const x = matrix(images, pixels);
      const condition = matrix(conditions, classes);
      const image = tf.reshape(x, [count, shape.height, shape.width, shape.channels]);
      const encoded = this.#run(this.encoder, { [IMAGE_INPUT]: image, [CONDITION_INPUT]: condition }, weights, mode);
      const [mean, logVariance] = tf.split(encoded, 2, 1) as [Tensor2D, Tensor2D];
      const spread = tf.mul(tf.exp(tf.mul(logVariance, 0.5)), matrix(noise, latent));
      const z = tf.add(mean, spread);
      const logits = this.#run(this.decoder, { [LATENT_INPUT]: z, [CONDITION_INPUT]: condition }, weights, mode);
      // −x·log σ(l) − (1 − x)·log(1 − σ(l)) = softplus(l) − x·l
      const reconstruction = tf.sum<Scalar>(tf.sub(tf.softplus(logits), tf.mul(x, logits)));
      const spreadTerms = tf.sub(tf.sub(tf.add(logVariance, 1), tf.square(mean)), tf.exp(logVariance));
      const divergence = tf.mul(tf.sum<Scalar>(spreadTerms), -0.5);
      return tf.div<Scalar>(tf.add(reconstruction, divergence), count);
    };
  }

  /** Pixels 0..1 [count, H·W·C]. */
  decode(latents: Float32Array, conditions: Float32Array, count: number, weights: Tensors): Tensor2D {
    const inputs = {
      [LATENT_INPUT]: this.tf.tensor2d(latents, [count, this.options.latent]),
      [CONDITION_INPUT]: this.tf.tensor2d(conditions, [count, this.options.classes]),
    };
    return this.tf.sigmoid(this.#run(this.decoder, inputs, weights, { training: false }));
  }

  #run(layers: readonly ShapedLayer[], inputs: Record<string, Tensor>, weights: Tensors, mode: Mode): Tensor2D {
    const outputs = runLayers(this.tf, layers, new Map(Object.entries(inputs)), weights, mode);
    return [...outputs.values()].at(-1) as Tensor2D;
  }
}

function refuseDropout(): never {
  throw new TypeError('a CVAE has no dropout');
}
