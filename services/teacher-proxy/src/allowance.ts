import type { Clock } from '@bbdistill/common';
import { MAX_RUNS_IN_LEDGER, spentBy, usageOf } from './ledger-record.js';
import type { Budget, LedgerRecord, MonthUsage, OpenCall, PhaseUsage, Spent, Used } from './ledger-record.js';
import type { Price, TeacherBudget } from './registry.js';

const DEFAULT_WARN_AT = 0.8;

/** What budgets leave for the next call of a run. */
export interface Left {
  images: number;
  moneyMicros: number;
  /** Images of the month's free tier. */
  freeLeft: number;
  spent: Spent;
  /** The ceiling of the teacher that is reached. */
  reached: Ceiling | undefined;
}

/** Of the operator, over all runs. */
export interface Ceiling {
  name: string;
  budget: Budget;
  spent: Spent;
  month?: string;
}

/** Most of a budget is spent. */
export interface Warning {
  /** `*`: all runs. */
  run: string;
  spent: Spent;
  budget: Budget;
}

/** What a ledger's record leaves of the budgets of a run and of its teacher, and what it costs. */
export class Allowance {
  /**
   * @param clock absent: of no month
   * @param budget of the teacher
   */
  constructor(
    private readonly price: Price,
    private readonly clock?: Clock,
    private readonly budget?: TeacherBudget,
  ) {}

  left(record: LedgerRecord, run: string, budget: Budget): Left {
    const spent = spentBy(record, run);
    const freeLeft = this.#freeLeft(record);
    const ceilings = this.#ceilings(record);
    const all = [{ budget, spent }, ...ceilings];
    const affordable = (each: { budget: Budget; spent: Spent }) => this.#affordable(each.budget, each.spent, freeLeft);
    return {
      images: Math.min(...all.map(affordable)),
      moneyMicros: Math.min(...all.map((each) => (each.budget.moneyMicros ?? Infinity) - each.spent.moneyMicros)),
      freeLeft,
      spent,
      reached: ceilings.find((ceiling) => affordable(ceiling) <= 0),
    };
  }

  /** Enters what a call or a chunk has cost into all counters. */
  spend(record: LedgerRecord, { run, phase }: Pick<OpenCall, 'run' | 'phase'>, { free, ...used }: Used): void {
    // A chunk that no call was made from leaves no trace.
    if (used.calls === 0) return;
    const usage = usageOf(record, run, phase);
    for (const [counter, amount] of Object.entries(used) as [keyof PhaseUsage, number][]) usage[counter] += amount;
    const billed = used.settled + used.unknown;
    const month = this.#month(record);
    month.images += billed;
    month.moneyMicros += used.moneyMicros;
    month.free += free;
    const total = (record.total ??= { images: 0, moneyMicros: 0 });
    total.images += billed;
    total.moneyMicros += used.moneyMicros;
  }

  /** Warnings that are due and weren't given yet; the record knows of them from here on. */
  warnings(record: LedgerRecord, run: string, budget: Budget): Warning[] {
    const due: Warning[] = [];
    const warned = (record.warned ??= []);
    const warnAt = this.budget?.warnAt ?? DEFAULT_WARN_AT;
    const isNear = (spent: Spent, of: Budget) =>
      spent.images >= warnAt * (of.images ?? Infinity) || spent.moneyMicros >= warnAt * (of.moneyMicros ?? Infinity);
    const check = (name: string, spent: Spent, of: Budget, period = '') => {
      // A budget that was raised, and a new month's, end anew.
      const mark = [name, period, of.images, of.moneyMicros].join(' ');
      if (warned.includes(mark) || !isNear(spent, of)) return;
      warned.push(mark);
      due.push({ run: name, spent, budget: of });
    };
    check(run, spentBy(record, run), budget);
    for (const { spent, budget: of, month } of this.#ceilings(record)) check('*', spent, of, month);
    warned.splice(0, warned.length - 2 * MAX_RUNS_IN_LEDGER);
    return due;
  }

  #affordable(budget: Budget, spent: Spent, freeLeft: number): number {
    let images = Infinity;
    if (budget.images !== undefined) images = budget.images - spent.images;
    if (budget.moneyMicros !== undefined) {
      const left = budget.moneyMicros - spent.moneyMicros - this.price.perCallMicros;
      if (left < 0) return 0;
      const { perImageMicros } = this.price;
      if (perImageMicros > 0) images = Math.min(images, freeLeft + Math.floor(left / perImageMicros));
    }
    return images;
  }

  #month(record: LedgerRecord): MonthUsage {
    const months = (record.months ??= {});
    return (months[this.#monthName()] ??= { images: 0, moneyMicros: 0, free: 0 });
  }

  #monthName(): string {
    return this.clock ? new Date(this.clock.nowMs()).toISOString().slice(0, 7) : 'any';
  }

  #freeLeft(record: LedgerRecord): number {
    const free = this.price.freeImagesPerMonth ?? 0;
    if (free === 0) return 0;
    const open = Object.values(record.open).reduce((sum, call) => sum + (call.free ?? 0), 0);
    return Math.max(0, free - this.#month(record).free - open);
  }

  /** What the operator allows over all runs, and what counts against it. */
  #ceilings(record: LedgerRecord): Ceiling[] {
    const { budget } = this;
    if (!budget) return [];
    const open = Object.values(record.open);
    const openImages = open.reduce((sum, { images }) => sum + images, 0);
    const openMoney = open.reduce((sum, { moneyMicros }) => sum + moneyMicros, 0);
    const spentOf = (used: { images: number; moneyMicros: number }): Spent => ({
      images: used.images + openImages,
      moneyMicros: used.moneyMicros + openMoney,
      openImages,
    });
    const of = (images: number | undefined, moneyMicros: number | undefined): Budget => ({
      ...(images !== undefined && { images }),
      ...(moneyMicros !== undefined && { moneyMicros }),
    });
    return [
      {
        name: 'its budget (budget.images, budget.money)',
        budget: of(budget.images, budget.moneyMicros),
        spent: spentOf(record.total ?? { images: 0, moneyMicros: 0 }),
      },
      {
        name: "this month's budget (budget.imagesPerMonth, budget.moneyPerMonth)",
        budget: of(budget.imagesPerMonth, budget.moneyPerMonthMicros),
        spent: spentOf(this.#month(record)),
        month: this.#monthName(),
      },
    ];
  }
}
