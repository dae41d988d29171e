import { FailedPreconditionError } from '@bbdistill/common/base';
import type { Rank, Scalar, Tensor, Tensor1D } from '@tensorflow/tfjs';
import type { EmaOptions, OptimiserOptions } from '../../engine.js';
import { elementsOf } from '../../network-shapes.js';
import type { TensorLayout } from '../../network-shapes.js';
import type { FlatState } from '../flat-parameters.js';
import { averageDecay } from './average-decay.js';
import { named } from './layers.js';
import type { Tensors } from './layers.js';
import { optimiserStep } from './optimiser.js';
import type { OptimiserState } from './optimiser.js';
import type { Tfjs } from './tfjs.js';

/** The vectors of a `FlatState` on the device; without averages or statistics there are none. */
type DeviceState = ReadonlyMap<keyof FlatState, Tensor1D>;

/** A tensor of the network by its name. */
type Piece = readonly [name: string, tensor: Tensor];

/** Computes the mean loss of a batch from the weights, and puts batch norm's new statistics into the map. */
export type LossFunction = (weights: Tensors, statistics: Map<string, Tensor>) => Scalar;

/** A step that was computed and isn't taken yet. */
export interface ProposedStep {
  /** [loss, 0 where all gradients are finite and NaN where one isn't] */
  verdict: Tensor1D;
  accept(): void;
  discard(): void;
}

/** Weights and optimiser state on the device. A step makes new tensors and lets the old ones go. */
export class TfjsTrainer {
  readonly #trainable: readonly TensorLayout[];
  readonly #moving: readonly TensorLayout[];
  #state: DeviceState;

  constructor(
    private readonly tf: Tfjs,
    layout: readonly TensorLayout[],
    private readonly optimiser: OptimiserOptions,
    private readonly ema: EmaOptions | undefined,
    initial: FlatState,
  ) {
    this.#trainable = layout.filter(({ isTrainable }) => isTrainable);
    this.#moving = layout.filter(({ isTrainable }) => !isTrainable);
    this.#state = this.#upload(initial);
  }

  /** The weights by name, of any computation in `tf.tidy` of the caller's. */
  weights(): Map<string, Tensor> {
    return new Map([...this.#trainablePieces(), ...this.#movingPieces()]);
  }

  /**
   * Loss, gradients and the optimiser's step.
   * @param step counted from 1
   */
  propose(loss: LossFunction, step: number, rate: number): ProposedStep {
    const { tf } = this;
    const { verdict, next } = tf.tidy(() => {
      const trainable = this.#trainablePieces();
      const moving = this.#movingPieces();
      const statistics = new Map<string, Tensor>();
      const { value, grads } = tf.valueAndGrads((...pieces: Tensor[]) => {
        const weights = new Map([...trainable.map(([name], i) => [name, pieces[i]!] as const), ...moving]);
        const mean = tf.add<Scalar>(loss(weights, statistics), this.#penalty(weights));
        // The loss doesn't hang on them, so that nothing else holds them.
        statistics.forEach((tensor) => tf.keep(tensor));
        return mean;
      })(trainable.map(([, tensor]) => tensor));
      const gradients = flat(tf, grads);
      const taken = optimiserStep(tf, this.optimiser, this.#optimiserState(), gradients, step, rate);
      const next: Record<string, Tensor1D> = { ...taken };
      const averages = this.#averaged(taken.values, step);
      if (averages) next['averages'] = averages;
      const moved = this.#moving.map(({ name }) => named(statistics, name));
      if (moved.length > 0) next['statistics'] = flat(tf, moved);
      tf.dispose(moved);
      return { next, verdict: tf.stack([value, tf.sum(tf.mul(gradients, tf.scalar(0)))]) as Tensor1D };
    });
    return {
      verdict,
      accept: () => {
        tf.dispose([verdict, ...this.#state.values()]);
        this.#state = new Map(Object.entries(next)) as DeviceState;
      },
      discard: () => tf.dispose([verdict, ...Object.values(next)]),
    };
  }

  /** The device's vectors, to be read by whoever knows whether that can be waited for. */
  deviceState(): DeviceState {
    return this.#state;
  }

  replace(state: FlatState): void {
    const fresh = this.#upload(state);
    this.dispose();
    this.#state = fresh;
  }

  bytes(): number {
    return [...this.#state.values()].reduce((sum, { size }) => sum + size * Float32Array.BYTES_PER_ELEMENT, 0);
  }

  dispose(): void {
    this.tf.dispose([...this.#state.values()]);
  }

  #upload(state: FlatState): DeviceState {
    const entries = Object.entries(state) as [keyof FlatState, Float32Array | undefined][];
    const present = entries.filter(([, vector]) => vector && vector.length > 0) as [keyof FlatState, Float32Array][];
    // A copy: a backend may read it later than now.
    return new Map(present.map(([key, vector]) => [key, this.tf.tensor1d(vector.slice(), 'float32')]));
  }

  #vector(key: keyof FlatState): Tensor1D {
    const vector = this.#state.get(key);
    if (!vector) throw new FailedPreconditionError(`the network has no ${key}`);
    return vector;
  }

  #optimiserState(): OptimiserState {
    const vector = (key: keyof FlatState) => this.#vector(key);
    return {
      values: vector('values'),
      firstMoments: vector('firstMoments'),
      secondMoments: vector('secondMoments'),
    };
  }

  #trainablePieces(): Piece[] {
    return this.#pieces(this.#vector('values'), this.#trainable);
  }

  #movingPieces(): Piece[] {
    return this.#moving.length === 0 ? [] : this.#pieces(this.#vector('statistics'), this.#moving);
  }

  #pieces(vector: Tensor1D, layout: readonly TensorLayout[]): Piece[] {
    const sizes = layout.map(({ shape }) => elementsOf(shape));
    const pieces = layout.length === 1 ? [vector] : this.tf.split(vector, sizes);
    return layout.map(({ name, shape }, i) => [name, this.tf.reshape(pieces[i]!, [...shape])] as const);
  }

  #penalty(weights: Tensors): Scalar {
    const terms = this.#trainable
      .filter(({ l2 }) => l2 > 0)
      .map(({ name, l2 }) => this.tf.mul<Scalar>(this.tf.sum(this.tf.square(named(weights, name))), l2));
    return terms.reduce((sum, term) => this.tf.add<Scalar>(sum, term), this.tf.scalar(0));
  }

  /** average ← decay·average + (1 − decay)·weights; a young average forgets faster, as `EmaOptions` says. */
  #averaged(values: Tensor1D, step: number): Tensor1D | undefined {
    const { tf, ema } = this;
    if (!ema) return undefined;
    const decay = averageDecay(ema.decay, step - 1);
    return tf.add<Tensor1D>(tf.mul(this.#vector('averages'), decay), tf.mul(values, 1 - decay));
  }
}

function flat(tf: Tfjs, tensors: readonly Tensor[]): Tensor1D {
  const vectors = tensors.map((tensor) => tf.reshape<Rank.R1>(tensor, [tensor.size]));
  return vectors.length === 1 ? tf.clone(vectors[0]!) : tf.concat(vectors);
}
