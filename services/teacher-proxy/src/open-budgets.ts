import type { Observation } from '@bbdistill/common';
import { spentBy } from './ledger-record.js';
import type { Ledger } from './budget.js';
import type { Budget } from './ledger-record.js';

const MICROS = 1_000_000;

/** The budgets of the runs that a teacher is being asked for right now. */
export class OpenBudgets {
  readonly #open = new Map<string, { budget: Budget; users: number }>();

  constructor(private readonly ledger: Ledger) {}

  /** @returns to be called once, when the work for the run has ended */
  enter(run: string, budget: Budget): () => void {
    const known = this.#open.get(run) ?? { budget, users: 0 };
    known.users++;
    known.budget = budget;
    this.#open.set(run, known);
    return () => {
      if (--known.users === 0) this.#open.delete(run);
    };
  }

  /** What is left to each of these runs; what calls under way may cost counts as spent. */
  async left(): Promise<{ images: Observation[]; money: Observation[] }> {
    const images: Observation[] = [];
    const money: Observation[] = [];
    if (this.#open.size === 0) return { images, money };
    const record = await this.ledger.read();
    for (const [run, { budget }] of this.#open) {
      const spent = spentBy(record, run);
      const attributes = { teacher: this.ledger.teacher, run };
      if (budget.images !== undefined) images.push({ value: budget.images - spent.images, attributes });
      if (budget.moneyMicros !== undefined) {
        money.push({ value: (budget.moneyMicros - spent.moneyMicros) / MICROS, attributes });
      }
    }
    return { images, money };
  }
}
