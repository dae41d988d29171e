import type { Phase } from './ledger-record.js';

/** What a call needs, and for whom. */
export interface Turn {
  images: number;
  run: string;
  phase: Phase;
}

/** Smaller goes first: everything else waits for the seeds' answers. */
export function urgencyOf(phase: Phase): number {
  return phase === 'seeds' ? 0 : 1;
}

interface Waiting<T extends Turn> {
  turn: T;
  arrival: number;
}

/** Calls that wait: the most urgent phase first, within it the runs by turns, within a run first come first served. */
export class TurnQueue<T extends Turn> {
  readonly #waiting: Waiting<T>[] = [];
  /** Images that each run was given, counted from the least served run on. */
  readonly #served = new Map<string, number>();
  #arrivals = 0;

  get size(): number {
    return this.#waiting.length;
  }

  push(turn: T): void {
    // A run that comes anew has no claim on what others used before it came.
    if (!this.#waiting.some((other) => other.turn.run === turn.run)) {
      const least = Math.min(...this.#waiting.map((other) => this.#served.get(other.turn.run) ?? 0));
      this.#served.set(turn.run, Math.max(this.#served.get(turn.run) ?? 0, Number.isFinite(least) ? least : 0));
    }
    this.#waiting.push({ turn, arrival: this.#arrivals++ });
  }

  peek(): T | undefined {
    return this.#foremost()?.turn;
  }

  /** Takes the foremost away; its run has been served. */
  shift(): T | undefined {
    const found = this.#foremost();
    if (!found) return undefined;
    const { run, images } = found.turn;
    this.#remove(found);
    this.#served.set(run, (this.#served.get(run) ?? 0) + images);
    if (this.#waiting.length === 0) this.#served.clear();
    return found.turn;
  }

  /** @returns whether it was there */
  delete(turn: T): boolean {
    const found = this.#waiting.find((other) => other.turn === turn);
    if (found) this.#remove(found);
    return found !== undefined;
  }

  /** Everybody who waits, in no particular order. */
  list(): T[] {
    return this.#waiting.map(({ turn }) => turn);
  }

  #foremost(): Waiting<T> | undefined {
    let best: Waiting<T> | undefined;
    for (const next of this.#waiting) if (!best || this.#isBefore(next, best)) best = next;
    return best;
  }

  #isBefore(a: Waiting<T>, b: Waiting<T>): boolean {
    const urgency = urgencyOf(a.turn.phase) - urgencyOf(b.turn.phase);
    if (urgency !== 0) return urgency < 0;
    const served = (this.#served.get(a.turn.run) ?? 0) - (this.#served.get(b.turn.run) ?? 0);
    if (served !== 0 && a.turn.run !== b.turn.run) return served < 0;
    return a.arrival < b.arrival;
  }

  #remove(waiting: Waiting<T>): void {
    this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
  }
}
