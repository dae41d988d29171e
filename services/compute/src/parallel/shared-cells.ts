import { BbdError } from '@bbdistill/common/base';

/**
 * Looks at a cell before a thread goes to sleep over it. Waking it takes 50 µs and more, which is much of a step of a
 * few milliseconds; looking takes a core, which may be just what the others lack. So threads look for long, some 100 µs,
 * where that paid off lately, and hardly at all where it didn't.
 */
const MOST_LOOKS = 1 << 17;
const FEWEST_LOOKS = 1 << 10;

/** How often a sleeping thread looks whether another one is lost, should the call that wakes it come too early. */
const LOOK_AGAIN_MS = 500;

/** Places of the cells. */
const GENERATION = 0;
const COMMAND = 1;
const ARRIVED = 2;
const ROUND = 3;
const LOST = 4;
const STATES = 5;

/** Cells that threads of a training signal by; zero at first. */
export function cellCount(threads: number): number {
  return STATES + threads;
}

/** How the threads of a training wait for each other. Each has one, over the same shared cells. */
export class SharedCells {
  #looks = MOST_LOOKS;
  #generation = 0;

  /** @param deadlineMs how long to wait for the others before they count as lost */
  constructor(
    private readonly cells: Int32Array,
    private readonly threads: number,
    private readonly deadlineMs: number,
  ) {}

  /** The first thread's: what the others shall do next. */
  command(command: number): void {
    Atomics.store(this.cells, COMMAND, command);
    Atomics.add(this.cells, GENERATION, 1);
    Atomics.notify(this.cells, GENERATION);
  }

  /** The others': waits for a command, however long it takes. @throws BbdError WORKER_LOST */
  nextCommand(): number {
    this.#waitWhile(GENERATION, this.#generation, Infinity);
    this.#generation = Atomics.load(this.cells, GENERATION);
    return Atomics.load(this.cells, COMMAND);
  }

  /**
   * Waits until every thread is here. What each wrote before is seen by all afterwards.
   * @throws BbdError WORKER_LOST where one is lost or doesn't come within the deadline
   */
  meet(): void {
    this.#requireAll();
    const round = Atomics.load(this.cells, ROUND);
    if (Atomics.add(this.cells, ARRIVED, 1) === this.threads - 1) {
      Atomics.store(this.cells, ARRIVED, 0);
      Atomics.add(this.cells, ROUND, 1);
      Atomics.notify(this.cells, ROUND);
      return;
    }
    this.#waitWhile(ROUND, round, this.deadlineMs);
  }

  /** Before a meeting: whether this thread's part of the work failed. */
  tellFailure(thread: number, hasFailed: boolean): void {
    Atomics.store(this.cells, STATES + thread, hasFailed ? 1 : 0);
  }

  /** Between that meeting and the next one. */
  hasFailed(thread: number): boolean {
    return Atomics.load(this.cells, STATES + thread) === 1;
  }

  /** A thread is gone: whoever waits for it shall stop waiting. */
  tellLoss(): void {
    Atomics.store(this.cells, LOST, 1);
    Atomics.notify(this.cells, GENERATION);
    Atomics.notify(this.cells, ROUND);
  }

  #waitWhile(at: number, value: number, deadlineMs: number): void {
    for (let look = 0; look < this.#looks; look++) {
      if (Atomics.load(this.cells, at) === value) continue;
      this.#looks = Math.min(2 * this.#looks, MOST_LOOKS);
      return;
    }
    this.#looks = Math.max(this.#looks / 2, FEWEST_LOOKS);
    let waitedMs = 0;
    while (Atomics.load(this.cells, at) === value) {
      this.#requireAll();
      if (Atomics.wait(this.cells, at, value, LOOK_AGAIN_MS) !== 'timed-out') continue;
      waitedMs += LOOK_AGAIN_MS;
      if (waitedMs >= deadlineMs) throw lost(`did not answer within ${deadlineMs / 1000} s`);
    }
  }

  #requireAll(): void {
    if (Atomics.load(this.cells, LOST) === 1) throw lost('ended by itself');
  }
}

export function lost(how: string, cause?: unknown): BbdError {
  return new BbdError('internal', `a thread of the training ${how}; resume the run`, {
    ...{ code: 'WORKER_LOST', retryable: true },
    ...(cause !== undefined && { cause }),
  });
}
