/** Values put by one side and taken in order by the other, until a signal aborts. */
export class Mailbox<T> {
  #values: T[] = [];
  #wake = (): void => undefined;

  put(value: T): void {
    this.#values.push(value);
    this.#wake();
  }

  /** Ends when the signal aborts; what is still inside is dropped. */
  async *take(signal: AbortSignal): AsyncGenerator<T, void, undefined> {
    const onAbort = () => this.#wake();
    signal.addEventListener('abort', onAbort);
    try {
      while (!signal.aborted) {
        const taken = this.#values;
        this.#values = [];
        for (const value of taken) {
          if (signal.aborted) return;
          yield value;
        }
        if (this.#values.length === 0 && !signal.aborted) await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      signal.removeEventListener('abort', onAbort);
    }
  }
}
