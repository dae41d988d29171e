import { InvalidArgumentError, RandomStream, decodeTensors, encodeTensors } from '@bbdistill/common';
import type { WeightTensor } from '../engine.js';
import { elementsOf, elementsOfAll } from '../network-shapes.js';
import type { TensorLayout } from '../network-shapes.js';

const CHECKPOINT_FORMAT = 'bbdistill-checkpoint-1';

/** The optimiser's state as flat vectors over all tensors, views into an engine's memory. */
export interface FlatState {
  values: Float32Array;
  firstMoments: Float32Array;
  secondMoments: Float32Array;
}

/** Names and shapes over an engine's flat vectors: initial weights, reading, writing, checkpoints. */
export class FlatParameters {
  readonly count: number;
  readonly #layoutJson: string;

  constructor(
    /** For messages. */
    private readonly owner: string,
    private readonly layout: readonly TensorLayout[],
    private readonly state: FlatState,
  ) {
    this.count = elementsOfAll(layout);
    this.#layoutJson = JSON.stringify(layout.map(({ name, shape }) => [name, shape]));
  }

  /** Glorot uniform kernels, zero biases (Keras' defaults). Each tensor has a random stream of its own. */
  initialise(seed: number): void {
    for (const [{ name, initial, fanIn, fanOut }, view] of this.#views(this.state.values)) {
      if (typeof initial === 'number') {
        view.fill(initial);
        continue;
      }
      const limit = Math.sqrt(6 / (fanIn + fanOut));
      const random = new RandomStream(seed, `weights/${name}`);
      for (let i = 0; i < view.length; i++) view[i] = random.between(-limit, limit);
    }
  }

  tensors(): WeightTensor[] {
    return [...this.#views(this.state.values)].map(([{ name, shape }, view]) => ({ name, shape, data: view.slice() }));
  }

  /** @throws InvalidArgumentError where a name or a shape doesn't fit; nothing is changed then */
  setTensors(weights: readonly WeightTensor[]): void {
    const given = new Map(weights.map((tensor) => [tensor.name, tensor]));
    const expected = new Set(this.layout.map(({ name }) => name));
    const unknown = weights.find(({ name }) => !expected.has(name));
    if (unknown) throw new InvalidArgumentError(`${this.owner} has no tensor ${unknown.name}`);
    for (const { name, shape } of this.layout) {
      const tensor = given.get(name);
      if (!tensor) throw new InvalidArgumentError(`${this.owner}: the tensor ${name} is missing`);
      const fits = tensor.shape.join() === shape.join() && tensor.data.length === elementsOf(shape);
      if (!fits) {
        throw new InvalidArgumentError(
          `${this.owner}: tensor ${name} has shape [${tensor.shape.join(',')}] and ${tensor.data.length} numbers, ` +
            `not [${shape.join(',')}]`,
        );
      }
    }
    for (const [{ name }, view] of this.#views(this.state.values)) view.set(given.get(name)?.data ?? []);
  }

  /** Safetensors with weights, moments and step count. */
  encodeCheckpoint(steps: number): Uint8Array {
    const vector = (data: Float32Array) => ({ dtype: 'F32' as const, shape: [this.count], data });
    return encodeTensors({
      metadata: { format: CHECKPOINT_FORMAT, layout: this.#layoutJson },
      tensors: {
        values: vector(this.state.values),
        firstMoments: vector(this.state.firstMoments),
        secondMoments: vector(this.state.secondMoments),
        steps: { dtype: 'I32', shape: [1], data: Int32Array.of(steps) },
      },
    });
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
    const vectors = (['values', 'firstMoments', 'secondMoments'] as const).map((name) => tensors[name]);
    const steps = tensors['steps']?.data[0];
    if (metadata['layout'] !== this.#layoutJson || vectors.some((v) => v?.data.length !== this.count)) {
      throw new InvalidArgumentError(
        `${this.owner}: the checkpoint is of a network with other layers; restore it into the network that wrote it`,
      );
    }
    if (steps === undefined || steps < 0) {
      throw new InvalidArgumentError(`${this.owner}: the checkpoint tells no step count`);
    }
    this.state.values.set(vectors[0]?.data ?? []);
    this.state.firstMoments.set(vectors[1]?.data ?? []);
    this.state.secondMoments.set(vectors[2]?.data ?? []);
    return steps;
  }

  *#views(flat: Float32Array): Iterable<[TensorLayout, Float32Array]> {
    let at = 0;
    for (const layout of this.layout) {
      const elements = elementsOf(layout.shape);
      yield [layout, flat.subarray(at, at + elements)];
      at += elements;
    }
  }
}
