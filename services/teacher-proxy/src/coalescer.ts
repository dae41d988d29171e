import type { RawAnswer } from './teacher.js';

/** Images that are being asked about in this process: whoever wants the same image waits instead of asking. */
export class Coalescer {
  readonly #inFlight = new Map<string, { answer: Promise<RawAnswer | undefined>; settle: (v?: RawAnswer) => void }>();

  /** The answer that somebody else waits for, or undefined where nobody does. */
  waitFor(key: string): Promise<RawAnswer | undefined> | undefined {
    return this.#inFlight.get(key)?.answer;
  }

  /** From now on the caller asks about the image, and has to `settle` it. */
  claim(key: string): void {
    let settle: (raw?: RawAnswer) => void = () => undefined;
    const answer = new Promise<RawAnswer | undefined>((resolve) => (settle = resolve));
    this.#inFlight.set(key, { answer, settle });
  }

  /** @param raw absent: no answer came; those who waited decide for themselves. */
  settle(key: string, raw?: RawAnswer): void {
    const claimed = this.#inFlight.get(key);
    this.#inFlight.delete(key);
    claimed?.settle(raw);
  }
}
