import type { Clock } from '../../clock.js';

/** One loop that waits for messages. */
export interface Loop extends Disposable {
  /** Says that the loop is alive. */
  beat: () => void;
}

/** When each watch and consume loop last had a sign of life from the server: for health checks. */
export class LoopAges {
  readonly #beats = new Map<symbol, { name: string; atMs: number }>();

  constructor(private readonly clock: Clock) {}

  start(name: string): Loop {
    const id = Symbol(name);
    const beat = () => void this.#beats.set(id, { name, atMs: this.clock.monotonicMs() });
    beat();
    return { beat, [Symbol.dispose]: () => void this.#beats.delete(id) };
  }

  /** The loop that was silent longest; undefined where none runs. */
  oldest(): { name: string; ageMs: number } | undefined {
    const now = this.clock.monotonicMs();
    let oldest: { name: string; ageMs: number } | undefined;
    for (const { name, atMs } of this.#beats.values()) {
      if (!oldest || now - atMs > oldest.ageMs) oldest = { name, ageMs: now - atMs };
    }
    return oldest;
  }
}
