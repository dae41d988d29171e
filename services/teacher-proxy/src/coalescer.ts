/** Images that are being asked about in this process: whoever wants the same image waits instead of asking. */
export class Coalescer {
  readonly #inFlight = new Map<
    string,
    { answer: Promise<Float32Array | undefined>; settle: (v?: Float32Array) => void }
  >();

  /** The answer that somebody else waits for, or undefined where nobody does. */
  waitFor(key: string): Promise<Float32Array | undefined> | undefined {
    return this.#inFlight.get(key)?.answer;
  }

  /** From now on the caller asks about the image, and has to `settle` it. */
  claim(key: string): void {
    let settle: (values?: Float32Array) => void = () => undefined;
    const answer = new Promise<Float32Array | undefined>((resolve) => (settle = resolve));
    this.#inFlight.set(key, { answer, settle });
  }

  /** @param values absent: no answer came; those who waited decide for themselves. */
  settle(key: string, values?: Float32Array): void {
    const claimed = this.#inFlight.get(key);
    this.#inFlight.delete(key);
    claimed?.settle(values);
  }
}
