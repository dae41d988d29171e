import { InvalidArgumentError, RandomStream, decodeTensors, encodeTensors } from '@bbdistill/common/base';
import type { NamedTensor } from '@bbdistill/common/base';
import type { Initializer, WeightTensor } from '../engine.js';
import { elementsOf, elementsOfAll } from '../network-shapes.js';
import type { TensorLayout } from '../network-shapes.js';

const CHECKPOINT_FORMAT = 'bbdistill-checkpoint-2';

/** He's normal numbers are cut at two deviations, as Keras does, which narrows them by this. */
const TRUNCATED_DEVIATION = 0.87962566103423978;

/** Glorot and Bengio (2010), He et al. (2015), LeCun et al. (1998): the variance is scale / fan. */
const VARIANCE_SCALING: Readonly<Record<Initializer, { scale: number; fan: 'in' | 'mean'; isUniform: boolean }>> = {
  'glorot-uniform': { scale: 1, fan: 'mean', isUniform: true },
  'glorot-normal': { scale: 1, fan: 'mean', isUniform: false },
  'he-uniform': { scale: 2, fan: 'in', isUniform: true },
  'he-normal': { scale: 2, fan: 'in', isUniform: false },
  'lecun-uniform': { scale: 1, fan: 'in', isUniform: true },
  'lecun-normal': { scale: 1, fan: 'in', isUniform: false },
};

/** The optimiser's state as flat vectors over all tensors, views into an engine's memory. */
export interface FlatState {
  /** Trainable tensors, one after the other. */
  values: Float32Array;
  firstMoments: Float32Array;
  secondMoments: Float32Array;
  /** Running averages of `values`, where wanted. */
  averages: Float32Array | undefined;
  /** Tensors that no optimiser touches, one after the other. */
  statistics: Float32Array;
}

/** What thread number `thread` of `threads` moves of flat vectors over so many parameters: as equal as can be. */
export function sliceOf(parameters: number, thread: number, threads: number): { begin: number; end: number } {
  const at = (slice: number) => Math.floor((slice * parameters) / threads);
  return { begin: at(thread), end: at(thread + 1) };
}

const VECTORS = ['values', 'firstMoments', 'secondMoments', 'averages', 'statistics'] as const;

/** Names and shapes over an engine's flat vectors: initial weights, reading, writing, checkpoints. */
export class FlatParameters {
  /** Trainable numbers. */
  readonly count: number;
  readonly #layoutJson: string;

  constructor(
    /** For messages. */
    private readonly owner: string,
    private readonly layout: readonly TensorLayout[],
    private readonly state: FlatState,
  ) {
    this.count = elementsOfAll(layout.filter(({ isTrainable }) => isTrainable));
    this.#layoutJson = JSON.stringify(layout.map(({ name, shape }) => [name, shape]));
  }

  /** Keras' initialisers; each tensor has a random stream of its own. */
  initialise(seed: number): void {
    for (const [{ name, initial, fanIn, fanOut }, view] of this.#views(this.state.values)) {
      if (typeof initial === 'number') {
        view.fill(initial);
        continue;
      }
      const random = new RandomStream(seed, `weights/${name}`);
      const { scale, fan, isUniform } = VARIANCE_SCALING[initial];
      const variance = scale / (fan === 'in' ? fanIn : (fanIn + fanOut) / 2);
      if (isUniform) {
        const limit = Math.sqrt(3 * variance);
        for (let i = 0; i < view.length; i++) view[i] = random.between(-limit, limit);
      } else {
        const deviation = Math.sqrt(variance) / TRUNCATED_DEVIATION;
        for (let i = 0; i < view.length; i++) view[i] = deviation * truncatedNormal(random);
      }
    }
    this.state.averages?.set(this.state.values);
  }

  tensors(): WeightTensor[] {
    return this.#copies(this.state.values);
  }

  /** With the running averages where there are any. */
  averagedTensors(): WeightTensor[] {
    return this.#copies(this.state.averages ?? this.state.values);
  }

  /** The name of the tensor whose part of a flat vector first holds what isn't a finite number. */
  firstNonFinite(flat: Float32Array): string | undefined {
    for (const [{ name, isTrainable }, view] of this.#views(flat)) {
      if (isTrainable && !view.every(Number.isFinite)) return name;
    }
    return undefined;
  }

  /** @throws InvalidArgumentError where a name or a shape doesn't fit; nothing is changed then */
  setTensors(weights: readonly WeightTensor[]): void {
    const given = new Map(weights.map((tensor) => [tensor.name, tensor]));
    const expected = new Set(this.layout.map(({ name }) => name));
    const unknown = weights.find(({ name }) => !expected.has(name));
    if (unknown) throw new InvalidArgumentError(`${this.owner} has no tensor ${unknown.name}`);
    const data = this.layout.map(({ name, shape }) => {
      const tensor = given.get(name);
      if (!tensor) throw new InvalidArgumentError(`${this.owner}: the tensor ${name} is missing`);
      if (tensor.shape.join() !== shape.join() || tensor.data.length !== elementsOf(shape)) {
        throw new InvalidArgumentError(
          `${this.owner}: tensor ${name} has shape [${tensor.shape.join(',')}] and ${tensor.data.length} numbers, ` +
            `not [${shape.join(',')}]`,
        );
      }
      return tensor.data;
    });
    let at = 0;
    for (const [, view] of this.#views(this.state.values)) view.set(data[at++]!);
    this.state.averages?.set(this.state.values);
  }

  /** Weights, moments, averages, statistics and step count. */
  encodeCheckpoint(steps: number): Uint8Array {
    const tensors: Record<string, NamedTensor> = {
      steps: { dtype: 'I32', shape: [1], data: Int32Array.of(steps) },
    };
    for (const name of VECTORS) {
      const data = this.state[name];
      if (data && data.length > 0) tensors[name] = { dtype: 'F32', shape: [data.length], data };
    }
    return encodeTensors({ metadata: { format: CHECKPOINT_FORMAT, layout: this.#layoutJson }, tensors });
  }

  /**
   * @returns the step count
   * @throws DataLossError where the bytes are damaged
   * @throws InvalidArgumentError where they are of another network; nothing is changed then
   */
  restoreCheckpoint(checkpoint: Uint8Array): number {
    const { tensors, metadata } = decodeTensors(checkpoint);
    if (metadata['format'] !== CHECKPOINT_FORMAT) {
      throw new InvalidArgumentError(`${this.owner}: these bytes are no checkpoint (format ${metadata['format']})`);
    }
    const steps = tensors['steps']?.data[0];
    const fits = VECTORS.every((name) => (tensors[name]?.data.length ?? 0) === (this.state[name]?.length ?? 0));
    if (metadata['layout'] !== this.#layoutJson || !fits) {
      throw new InvalidArgumentError(
        `${this.owner}: the checkpoint is of a network with other layers; restore it into the network that wrote it`,
      );
    }
    if (steps === undefined || steps < 0) {
      throw new InvalidArgumentError(`${this.owner}: the checkpoint tells no step count`);
    }
    for (const name of VECTORS) this.state[name]?.set(tensors[name]?.data ?? []);
    return steps;
  }

  #copies(trainable: Float32Array): WeightTensor[] {
    return [...this.#views(trainable)].map(([{ name, shape }, view]) => ({ name, shape, data: view.slice() }));
  }

  /** Every tensor's place: the trainable ones in `trainable`, the others in the statistics. */
  *#views(trainable: Float32Array): Iterable<[TensorLayout, Float32Array]> {
    let at = 0;
    let statisticsAt = 0;
    for (const layout of this.layout) {
      const elements = elementsOf(layout.shape);
      if (layout.isTrainable) {
        yield [layout, trainable.subarray(at, at + elements)];
        at += elements;
      } else {
        yield [layout, this.state.statistics.subarray(statisticsAt, statisticsAt + elements)];
        statisticsAt += elements;
      }
    }
  }
}

function truncatedNormal(random: RandomStream): number {
  for (;;) {
    const value = random.normal();
    if (Math.abs(value) <= 2) return value;
  }
}
