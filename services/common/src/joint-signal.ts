import { setMaxListeners } from 'node:events';

/**
 * Aborts with the first of several signals, and leaves nothing on them once it is disposed of. For signals that live
 * long: on Node 20 each `AbortSignal.any` leaves an entry on them for as long as they live.
 */
export class JointSignal implements Disposable {
  readonly #abort = new AbortController();
  readonly #stops: (() => void)[] = [];

  constructor(...sources: readonly AbortSignal[]) {
    for (const source of sources) {
      const onAbort = () => this.#abort.abort(source.reason);
      if (source.aborted) onAbort();
      // Thousands may wait on one signal: Node takes more than ten for a leak, and says so to the user.
      setMaxListeners(0, source);
      source.addEventListener('abort', onAbort);
      this.#stops.push(() => source.removeEventListener('abort', onAbort));
    }
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  [Symbol.dispose](): void {
    for (const stop of this.#stops) stop();
  }
}
