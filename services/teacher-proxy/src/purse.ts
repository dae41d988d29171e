import type { LimitRule } from './limits.js';
import type { Turn } from './turn-queue.js';

/** Slots of one rule as this replica knows them. */
export class Purse {
  held = 0;
  /** Taken by calls that aren't sent yet, or that are open where the rule counts open calls. */
  inUse = 0;
  /** About to be given back. */
  leaving = 0;
  readonly resting: { readyAtMs: number; amount: number }[] = [];

  constructor(readonly rule: LimitRule) {}

  needOf(turn: Turn): number {
    return this.rule.unit === 'calls' ? 1 : turn.images;
  }

  available(nowMs: number): number {
    let resting = 0;
    for (let at = this.resting.length - 1; at >= 0; at--) {
      if (this.resting[at]!.readyAtMs > nowMs) resting += this.resting[at]!.amount;
      else this.resting.splice(at, 1);
    }
    return this.held - this.inUse - this.leaving - resting;
  }

  /** What will be available at a later moment if nothing is used until then. */
  availableAt(atMs: number): number {
    const resting = this.resting.reduce((sum, { readyAtMs, amount }) => sum + (readyAtMs > atMs ? amount : 0), 0);
    return this.held - this.inUse - this.leaving - resting;
  }

  /** When the next slot is ready that isn't ready at the given moment. */
  nextReadyMs(afterMs = -Infinity): number {
    return Math.min(...this.resting.map(({ readyAtMs }) => (readyAtMs > afterMs ? readyAtMs : Infinity)));
  }
}
