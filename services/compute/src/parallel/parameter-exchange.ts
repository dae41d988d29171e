import type { SplitStepClassifier } from '../engine.js';
import { sliceOf } from '../engines/flat-parameters.js';

/** Moments of Adam and the running average of the weights. */
const MOST_MOMENTS = 3;

/** Bytes of what the threads of a training show each other. */
export function exchangeBytes(threads: number, parameters: number): number {
  return threads * Float64Array.BYTES_PER_ELEMENT + (threads + 1 + MOST_MOMENTS) * paddedBytes(parameters);
}

type Copy = readonly [to: Float32Array, from: Float32Array];

/**
 * Loss, gradients and weights of every thread, in shared memory. Each thread copies what another one needs and no more.
 * Between writing and reading lies a meeting of the threads, and another one before anything is written again.
 */
export class ParameterExchange {
  readonly #losses: Float64Array;
  readonly #gradientsOut: readonly Copy[];
  readonly #gradientsIn: readonly Copy[];
  readonly #weightsOut: readonly Copy[];
  readonly #weightsIn: readonly Copy[];
  readonly #momentsOut: readonly Copy[];
  readonly #momentsIn: readonly Copy[];

  /** @param images of each thread's part */
  constructor(
    memory: SharedArrayBuffer,
    private readonly images: readonly number[],
    private readonly thread: number,
    classifier: SplitStepClassifier,
  ) {
    const { parameterCount, slice, gradients, values, moments, parts } = classifier;
    const threads = images.length;
    const vector = (number: number) =>
      new Float32Array(
        memory,
        threads * Float64Array.BYTES_PER_ELEMENT + number * paddedBytes(parameterCount),
        parameterCount,
      );
    const others = images.map((_, other) => other).filter((other) => other !== thread);
    const sliced = (to: Float32Array, from: Float32Array, { begin, end }: { begin: number; end: number }): Copy => [
      to.subarray(begin, end),
      from.subarray(begin, end),
    ];
    const slices = others.map((other) => sliceOf(parameterCount, other, threads));
    const sharedValues = vector(threads);
    const sharedMoments = moments.map((_, number) => vector(threads + 1 + number));
    this.#losses = new Float64Array(memory, 0, threads);
    this.#gradientsOut = slices.map((other) => sliced(vector(thread), gradients, other));
    this.#gradientsIn = others.map((other) => [parts[other]!, vector(other).subarray(slice.begin, slice.end)]);
    this.#weightsOut = [sliced(sharedValues, values, slice)];
    this.#weightsIn = slices.map((other) => sliced(values, sharedValues, other));
    this.#momentsOut = moments.map((own, number) => sliced(sharedMoments[number]!, own, slice));
    this.#momentsIn = moments.flatMap((own, number) =>
      slices.map((other) => sliced(own, sharedMoments[number]!, other)),
    );
  }

  /** Shows the mean loss of this thread's part and what the others need of its gradients. */
  publishGradients(loss: number): void {
    this.#losses[this.thread] = loss;
    copyAll(this.#gradientsOut);
  }

  /** The others' gradients of this thread's slice. */
  takeParts(): void {
    copyAll(this.#gradientsIn);
  }

  publishWeights(): void {
    copyAll(this.#weightsOut);
  }

  takeWeights(): void {
    copyAll(this.#weightsIn);
  }

  publishMoments(): void {
    copyAll(this.#momentsOut);
  }

  takeMoments(): void {
    copyAll(this.#momentsIn);
  }

  /** The mean loss over the batch, summed in the order of the threads. */
  loss(): number {
    const total = this.images.reduce((sum, images) => sum + images, 0);
    return this.images.reduce((sum, images, thread) => sum + (images / total) * this.#losses[thread]!, 0);
  }
}

function copyAll(copies: readonly Copy[]): void {
  for (const [to, from] of copies) to.set(from);
}

/** A cache line apart, so that no two threads write to one. */
function paddedBytes(parameters: number): number {
  return Math.ceil((parameters * Float32Array.BYTES_PER_ELEMENT) / 64) * 64;
}
