import { BbdError } from '@bbdistill/common/base';

/** Looks at a cell before a thread goes to sleep over it: waking one up costs about as much as so many looks. */
const LOOKS_BEFORE_SLEEP = 4_000;

/** Where all threads of a training meet once per step. Lies in shared memory; each thread has one over the same cells. */
export class Rendezvous {
  /** Cells that `shared` must have, zero at first. */
  static readonly CELLS = 2;
  readonly #arrived: Int32Array;
  readonly #round: Int32Array;

  /** @param deadlineMs how long to wait for the others before they count as lost */
  constructor(
    shared: Int32Array,
    private readonly parties: number,
    private readonly deadlineMs: number,
  ) {
    this.#arrived = shared.subarray(0, 1);
    this.#round = shared.subarray(1, 2);
  }

  /**
   * Waits until every party is here. What each wrote before is seen by all afterwards.
   * @throws BbdError where one doesn't come within the deadline
   */
  meet(): void {
    const round = Atomics.load(this.#round, 0);
    if (Atomics.add(this.#arrived, 0, 1) === this.parties - 1) {
      Atomics.store(this.#arrived, 0, 0);
      Atomics.add(this.#round, 0, 1);
      Atomics.notify(this.#round, 0);
      return;
    }
    waitWhile(this.#round, 0, round, this.deadlineMs);
  }
}

/**
 * Blocks this thread while the cell has this value: never call it where others are answered.
 * @throws BbdError where the cell keeps it for so long
 */
export function waitWhile(cells: Int32Array, at: number, value: number, deadlineMs: number): void {
  for (let look = 0; look < LOOKS_BEFORE_SLEEP; look++) {
    if (Atomics.load(cells, at) !== value) return;
  }
  while (Atomics.load(cells, at) === value) {
    if (Atomics.wait(cells, at, value, deadlineMs) !== 'timed-out') continue;
    throw new BbdError('internal', `a thread of the training did not answer within ${deadlineMs / 1000} s`, {
      code: 'WORKER_LOST',
      retryable: true,
    });
  }
}
