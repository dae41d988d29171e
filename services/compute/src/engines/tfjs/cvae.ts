import { FailedPreconditionError, pixelsPerImage } from '@bbdistill/common/base';
import { NanLossError } from '../../engine.js';
import type { CvaeOptions, WeightTensor } from '../../engine.js';
import { tensorsOf } from '../../network-shapes.js';
import { requireLength, requireNatural, requireOptimiser, requireStep } from '../checks.js';
import { CvaeModel } from './cvae-model.js';
import { HostParameters } from './host-parameters.js';
import type { Reading } from './reading.js';
import type { Tfjs } from './tfjs.js';
import { TfjsTrainer } from './trainer.js';

const OWNER = 'the CVAE';

/**
 * Images of every decoding on the device, whatever the training's batch is and however few are asked for: a backend may
 * compute another size in another way, and an image must not depend on how many others are made with it.
 */
export const DECODING_CHUNK = 256;

/** What goes with `dispose`. */
interface Live {
  trainer: TfjsTrainer;
  images: Float32Array;
  conditions: Float32Array;
  noise: Float32Array;
}

/** A `Cvae` in TensorFlow.js whose answers may come later. */
export class TfjsCvae {
  readonly #batch: number;
  readonly #pixels: number;
  readonly #classes: number;
  readonly #latent: number;
  readonly #model: CvaeModel;
  readonly #host: HostParameters;
  #live: Live | undefined;
  #steps = 0;

  /** @throws InvalidArgumentError naming the option that can't be */
  constructor(
    options: CvaeOptions,
    private readonly tf: Tfjs,
  ) {
    const { shape, classes, latent, batch, seed, optimiser } = options;
    requireNatural('batch', batch);
    requireNatural('classes', classes);
    requireNatural('latent', latent);
    requireOptimiser(optimiser);
    this.#batch = batch;
    this.#pixels = pixelsPerImage(shape);
    this.#classes = classes;
    this.#latent = latent;
    this.#model = new CvaeModel(tf, options);
    const layout = tensorsOf([...this.#model.encoder, ...this.#model.decoder]);
    this.#host = new HostParameters(OWNER, layout, seed, false);
    this.#live = {
      trainer: new TfjsTrainer(tf, layout, optimiser, undefined, this.#host.state),
      images: new Float32Array(batch * this.#pixels),
      conditions: new Float32Array(batch * classes),
      noise: new Float32Array(batch * latent),
    };
  }

  get images(): Float32Array {
    return this.#alive().images;
  }

  get conditions(): Float32Array {
    return this.#alive().conditions;
  }

  get noise(): Float32Array {
    return this.#alive().noise;
  }

  *trainStep(count: number, learningRate: number): Reading<number> {
    requireStep(count, this.#batch, learningRate);
    const { trainer, images, conditions, noise } = this.#alive();
    const loss = this.#model.lossOf(images, conditions, noise, count, this.#steps);
    const proposed = trainer.propose(loss, this.#steps + 1, learningRate);
    const [mean = NaN, gradientCheck = NaN] = Array.from(yield proposed.verdict);
    if (!Number.isFinite(mean) || Number.isNaN(gradientCheck)) {
      proposed.discard();
      throw new NanLossError(OWNER, this.#steps + 1, mean);
    }
    proposed.accept();
    this.#steps++;
    return mean;
  }

  *decode(latents: Float32Array, conditions: Float32Array, count: number): Reading<Float32Array> {
    const { trainer } = this.#alive();
    requireLength('latents', latents.length, count * this.#latent);
    requireLength('conditions', conditions.length, count * this.#classes);
    const result = new Float32Array(count * this.#pixels);
    for (let begin = 0; begin < count; begin += DECODING_CHUNK) {
      const wanted = Math.min(DECODING_CHUNK, count - begin);
      const rows = (data: Float32Array, width: number) => chunkOf(data, begin * width, wanted * width, width);
      const [z, condition] = [rows(latents, this.#latent), rows(conditions, this.#classes)];
      const pixels = this.tf.tidy(() => {
        const decoded = this.#model.decode(z, condition, DECODING_CHUNK, trainer.weights());
        return this.tf.slice(decoded, [0, 0], [wanted, this.#pixels]);
      });
      result.set(yield pixels, begin * this.#pixels);
      pixels.dispose();
    }
    return result;
  }

  *weights(): Reading<WeightTensor[]> {
    return (yield* this.#host.download(this.#alive().trainer)).tensors();
  }

  *setWeights(weights: readonly WeightTensor[]): Reading<void> {
    const { trainer } = this.#alive();
    (yield* this.#host.download(trainer)).setTensors(weights);
    trainer.replace(this.#host.state);
  }

  *checkpoint(): Reading<Uint8Array> {
    return (yield* this.#host.download(this.#alive().trainer)).encodeCheckpoint(this.#steps);
  }

  restore(checkpoint: Uint8Array): void {
    const { trainer } = this.#alive();
    this.#steps = this.#host.flat.restoreCheckpoint(checkpoint);
    trainer.replace(this.#host.state);
  }

  memoryBytes(): number {
    if (!this.#live) return 0;
    const { trainer, images, conditions, noise } = this.#live;
    return trainer.bytes() + this.#host.bytes() + images.byteLength + conditions.byteLength + noise.byteLength;
  }

  /** Afterwards every call but this one and `memoryBytes` throws FailedPreconditionError. */
  dispose(): void {
    this.#live?.trainer.dispose();
    this.#live = undefined;
  }

  #alive(): Live {
    if (!this.#live) throw new FailedPreconditionError(`${OWNER} was disposed of; compile it anew`);
    return this.#live;
  }
}

/** Rows of a whole chunk, zeros after those that are wanted. */
function chunkOf(data: Float32Array, begin: number, length: number, width: number): Float32Array {
  const chunk = new Float32Array(DECODING_CHUNK * width);
  chunk.set(data.subarray(begin, begin + length));
  return chunk;
}
