/** Bytes of what the threads of a training show each other. */
export function exchangeBytes(threads: number, parameters: number): number {
  return threads * (Float64Array.BYTES_PER_ELEMENT + 2 * paddedBytes(parameters));
}

/**
 * The gradients of every thread's part of a batch, in shared memory. There are two of each thread, used by turns: a
 * thread may still read those of one step while another already writes those of the next, so that one meeting a step
 * is enough.
 */
export class GradientExchange {
  readonly #losses: Float64Array;
  readonly #parts: readonly (readonly Float32Array[])[];

  /** @param images of each thread's part */
  constructor(
    memory: SharedArrayBuffer,
    private readonly images: readonly number[],
    parameters: number,
  ) {
    const threads = images.length;
    this.#losses = new Float64Array(memory, 0, threads);
    const begin = threads * Float64Array.BYTES_PER_ELEMENT;
    const part = (turn: number, thread: number) =>
      new Float32Array(memory, begin + (turn * threads + thread) * paddedBytes(parameters), parameters);
    this.#parts = [0, 1].map((turn) => images.map((_, thread) => part(turn, thread)));
  }

  /** Before the meeting of this step: the mean loss of this thread's part and its gradients. */
  publish(step: number, thread: number, loss: number, gradients: Float32Array): void {
    this.#losses[thread] = loss;
    this.#parts[step % 2]?.[thread]?.set(gradients);
  }

  /** After the meeting: the mean loss over the batch. To be read before the next step is published. */
  loss(): number {
    const total = this.#total();
    return this.images.reduce((sum, images, thread) => sum + (images / total) * this.#losses[thread]!, 0);
  }

  /** After the meeting: the mean over the batch, always summed in the order of the threads, so that its bits are too. */
  sumInto(step: number, gradients: Float32Array): void {
    const total = this.#total();
    const [first, second, ...others] = this.#parts[step % 2]!.map((part, thread) => ({
      part,
      share: this.images[thread]! / total,
    }));
    // Two at once: a pass over all gradients is what a step of several threads costs more than that of one.
    if (second) sumTwo(first!.part, first!.share, second.part, second.share, gradients);
    for (const { part, share } of others) addTo(gradients, part, share);
  }

  #total(): number {
    return this.images.reduce((sum, images) => sum + images, 0);
  }
}

function sumTwo(a: Float32Array, shareOfA: number, b: Float32Array, shareOfB: number, sum: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] = shareOfA * a[i]! + shareOfB * b[i]!;
}

function addTo(sum: Float32Array, part: Float32Array, share: number): void {
  for (let i = 0; i < sum.length; i++) sum[i]! += share * part[i]!;
}

/** A cache line apart, so that no two threads write to one. */
function paddedBytes(parameters: number): number {
  return Math.ceil((parameters * Float32Array.BYTES_PER_ELEMENT) / 64) * 64;
}
