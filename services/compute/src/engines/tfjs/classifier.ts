import { FailedPreconditionError, pixelsPerImage } from '@bbdistill/common/base';
import { NanLossError } from '../../engine.js';
import type { ClassifierOptions, NetworkSpec, WeightTensor } from '../../engine.js';
import { networkTensors, parameterCount } from '../../network-shapes.js';
import { requireEma, requireLength, requireNatural, requireOptimiser, requireStep, resolvedLoss } from '../checks.js';
import { ClassifierModel } from './classifier-model.js';
import { HostParameters } from './host-parameters.js';
import { predictionChunk } from './prediction-chunk.js';
import type { Reading } from './reading.js';
import type { Tfjs } from './tfjs.js';
import { TfjsTrainer } from './trainer.js';

/** What goes with `dispose`. */
interface Live {
  trainer: TfjsTrainer;
  images: Float32Array;
  targets: Float32Array;
}

/** A `Classifier` in TensorFlow.js whose answers may come later. */
export class TfjsClassifier {
  readonly network: NetworkSpec;
  readonly parameterCount: number;
  readonly #batch: number;
  readonly #pixels: number;
  readonly #model: ClassifierModel;
  readonly #host: HostParameters;
  #live: Live | undefined;
  #steps = 0;

  /** @throws InvalidArgumentError naming the option or the layer that can't be */
  constructor(
    { network, batch, seed, loss, optimiser, ema }: ClassifierOptions,
    private readonly tf: Tfjs,
  ) {
    requireNatural('batch', batch);
    requireOptimiser(optimiser);
    requireEma(ema);
    this.network = network;
    this.parameterCount = parameterCount(network);
    this.#batch = batch;
    this.#pixels = pixelsPerImage(network.input);
    this.#model = new ClassifierModel(tf, network, resolvedLoss(loss), seed);
    const layout = networkTensors(network);
    this.#host = new HostParameters(`network ${network.name}`, layout, seed, ema !== undefined);
    this.#live = {
      trainer: new TfjsTrainer(tf, layout, optimiser, ema, this.#host.state),
      images: new Float32Array(batch * this.#pixels),
      targets: new Float32Array(batch * network.classes),
    };
  }

  get images(): Float32Array {
    return this.#alive().images;
  }

  get targets(): Float32Array {
    return this.#alive().targets;
  }

  *trainStep(count: number, learningRate: number): Reading<number> {
    requireStep(count, this.#batch, learningRate);
    const { trainer, images, targets } = this.#alive();
    const loss = this.#model.lossOf(images, targets, count, this.#steps);
    const proposed = trainer.propose(loss, this.#steps + 1, learningRate);
    const [mean = NaN, gradientCheck = NaN] = Array.from(yield proposed.verdict);
    if (!Number.isFinite(mean) || Number.isNaN(gradientCheck)) {
      proposed.discard();
      throw new NanLossError(this.network.name, this.#steps + 1, mean, yield* this.#firstBadLayer(count));
    }
    proposed.accept();
    this.#steps++;
    return mean;
  }

  *predict(images: Uint8Array, count: number): Reading<Float32Array> {
    const { trainer } = this.#alive();
    requireLength('images', images.length, count * this.#pixels);
    const classes = this.network.classes;
    const result = new Float32Array(count * classes);
    const chunk = predictionChunk(this.#model.layers);
    for (let begin = 0; begin < count; begin += chunk) {
      const some = Math.min(chunk, count - begin);
      const pixels = images.subarray(begin * this.#pixels, (begin + some) * this.#pixels);
      const answers = this.tf.tidy(() => this.#model.probabilities(pixels, some, trainer.weights()));
      result.set(yield answers, begin * classes);
      answers.dispose();
    }
    return result;
  }

  *weights(): Reading<WeightTensor[]> {
    return (yield* this.#host.download(this.#alive().trainer)).tensors();
  }

  *averagedWeights(): Reading<WeightTensor[]> {
    return (yield* this.#host.download(this.#alive().trainer)).averagedTensors();
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
    const { trainer, images, targets } = this.#live;
    return trainer.bytes() + this.#host.bytes() + images.byteLength + targets.byteLength;
  }

  /** Afterwards every call but this one and `memoryBytes` throws FailedPreconditionError. */
  dispose(): void {
    this.#live?.trainer.dispose();
    this.#live = undefined;
  }

  #alive(): Live {
    if (!this.#live) throw new FailedPreconditionError(`network ${this.network.name} was disposed of; compile it anew`);
    return this.#live;
  }

  /** Computes the step's forward pass again, which is worth it only once something went wrong. */
  *#firstBadLayer(count: number): Reading<string | undefined> {
    const { tf } = this;
    const { trainer, images, targets } = this.#alive();
    if (!images.subarray(0, count * this.#pixels).every(Number.isFinite)) return 'image';
    if (!targets.subarray(0, count * this.network.classes).every(Number.isFinite)) return 'targets';
    const names: string[] = [];
    const areFinite = tf.tidy(() => {
      const outputs = [...this.#model.layerOutputs(images, count, this.#steps, trainer.weights())];
      names.push(...outputs.map(([name]) => name));
      return tf.stack(outputs.map(([, output]) => tf.cast(tf.all(tf.isFinite(output)), 'float32')));
    });
    const flags = Array.from(yield areFinite);
    areFinite.dispose();
    return names[flags.indexOf(0)];
  }
}
