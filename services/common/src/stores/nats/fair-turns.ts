/** Answers that are worked on before the network is looked at again. */
export const MAX_ANSWERS_A_TURN = 8;

/**
 * Lets callers go between the answers of the stores: hundreds may come in one piece, and the work that each of them sets
 * off would run to its end before the event loop takes a call.
 */
export class FairTurns {
  #passed = 0;
  #isCounting = false;
  readonly #waiting: (() => void)[] = [];

  /** @returns what is to be waited for, in the order of the calls; undefined where the turn has room */
  pass(): Promise<void> | undefined {
    if (!this.#isCounting) {
      this.#isCounting = true;
      setImmediate(this.#begin);
    }
    if (this.#passed < MAX_ANSWERS_A_TURN) {
      this.#passed++;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  readonly #begin = (): void => {
    const next = this.#waiting.splice(0, MAX_ANSWERS_A_TURN);
    this.#passed = next.length;
    this.#isCounting = next.length > 0;
    if (this.#isCounting) setImmediate(this.#begin);
    for (const resolve of next) resolve();
  };
}
