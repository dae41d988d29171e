import type { AnsweredStanding } from './standing.js';
import type { RawAnswer } from './teacher.js';

/** An answer, and how it stands in the unit of work that asked for it. */
export interface SharedAnswer {
  raw: RawAnswer;
  unit: string;
  standing: AnsweredStanding;
}

/** Images that are being asked about in this process: whoever wants the same image waits instead of asking. */
export class Coalescer {
  readonly #inFlight = new Map<
    string,
    { answer: Promise<SharedAnswer | undefined>; settle: (v?: SharedAnswer) => void }
  >();

  /** The answer that somebody else waits for, or undefined where nobody does. */
  waitFor(key: string): Promise<SharedAnswer | undefined> | undefined {
    return this.#inFlight.get(key)?.answer;
  }

  /** From now on the caller asks about the image, and has to `settle` it. */
  claim(key: string): void {
    let settle: (shared?: SharedAnswer) => void = () => undefined;
    const answer = new Promise<SharedAnswer | undefined>((resolve) => (settle = resolve));
    this.#inFlight.set(key, { answer, settle });
  }

  /** @param shared absent: no answer came; those who waited decide for themselves. */
  settle(key: string, shared?: SharedAnswer): void {
    const claimed = this.#inFlight.get(key);
    this.#inFlight.delete(key);
    claimed?.settle(shared);
  }
}
