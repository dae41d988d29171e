import type { Tensor } from '@tensorflow/tfjs';

/**
 * Work on a device that wants numbers from it in between: it yields a tensor and goes on with its values. Backends that
 * can be waited for run it in one go, the others answer later.
 */
export type Reading<T> = Generator<Tensor, T, ArrayLike<number>>;

/** On a backend that can be read at once. */
export function readNow<T>(work: Reading<T>): T {
  let next = work.next();
  while (!next.done) next = work.next(next.value.dataSync());
  return next.value;
}

/** On any backend. */
export async function readLater<T>(work: Reading<T>): Promise<T> {
  let next = work.next();
  while (!next.done) next = work.next(await next.value.data());
  return next.value;
}
