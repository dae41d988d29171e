import { BbdError, KeyExistsError, RevisionMismatchError, asBbdError, decodeJson, encodeJson } from '@bbdistill/common';
import type { StateStore } from '@bbdistill/common';
import type { Price } from './registry.js';

/** What a query was made for; evaluation has its own line in every report. */
export const PHASES = ['seeds', 'mixup', 'cvae', 'evaluation'] as const;
export type Phase = (typeof PHASES)[number];

/** A run's ceiling at one teacher; absent fields don't limit. */
export interface Budget {
  /** Images that may be billed to the run, evaluation included. */
  images?: number;
  moneyMicros?: number;
}

/** Integers, all phases of all runs; they only grow. */
export interface PhaseUsage {
  /** Images that the teacher answered, or charged for. */
  settled: number;
  /** Images that left for the teacher and never came back: spent for ever. */
  unknown: number;
  /** Images that the teacher failed on without charging, every attempt counted. */
  failed: number;
  /** Calls that were made once more. */
  retried: number;
  calls: number;
  moneyMicros: number;
}

/** A call that holds a part of the budget. */
export interface OpenCall {
  run: string;
  phase: Phase;
  unit: string;
  images: number;
  moneyMicros: number;
  /** From `dispatched` on, the request may have reached the teacher. */
  state: 'reserved' | 'dispatched';
  /** The process that makes the call. */
  holder: string;
}

export interface LedgerRecord {
  schema: 1;
  runs: Record<string, Partial<Record<Phase, PhaseUsage>>>;
  open: Record<string, OpenCall>;
}

/** What a run has spent or may be spending. */
export interface Spent {
  images: number;
  moneyMicros: number;
  openImages: number;
}

export interface ReserveRequest {
  callId: string;
  run: string;
  phase: Phase;
  unit: string;
  holder: string;
  /** Wanted; less is granted where the budget ends within the call. */
  images: number;
  budget: Budget;
}

export interface Settlement {
  settled: number;
  unknown: number;
  failed: number;
  /** The images of this call are asked once more. */
  retried: boolean;
  /** False for calls that the teacher doesn't charge, e.g. one that it turned away. */
  charged: boolean;
}

/** The run's budget can't cover the next image. What was answered is kept; a larger budget goes on from here. */
export class BudgetExhaustedError extends BbdError {
  constructor(
    readonly run: string,
    readonly teacher: string,
    readonly spent: Spent,
    readonly budget: Budget,
  ) {
    const ceiling =
      budget.images !== undefined && spent.images >= budget.images
        ? `${spent.images} of ${budget.images} images`
        : `${spent.images} images and ${spent.moneyMicros} of ${budget.moneyMicros} millionths of its money`;
    super(
      'budget-exhausted',
      `run ${run} has spent ${ceiling} at teacher "${teacher}": answers so far are kept; resume it with a larger budget`,
      { code: 'BUDGET_EXHAUSTED', retryable: false },
    );
  }
}

/** Millionths of the currency for one call. */
export function priceOf(price: Price, images: number): number {
  return images * price.perImageMicros + (images > 0 ? price.perCallMicros : 0);
}

interface Loaded {
  value: LedgerRecord;
  bytes: Uint8Array;
  revision: number | undefined;
}

type Change = {
  apply: (record: LedgerRecord) => unknown;
  resolve: (value: unknown) => void;
  reject: (e: unknown) => void;
};

/**
 * The one record of a teacher that holds the counters which must hold together. Every step of a call is one atomic
 * compare-and-set; steps that wait while another is being written are written together, so that many calls in flight
 * cost few writes.
 */
export class Ledger {
  #record: Loaded | undefined;
  #waiting: Change[] = [];
  #writing = false;
  #onChanged: (() => void)[] = [];

  constructor(
    private readonly state: StateStore,
    readonly teacher: string,
    private readonly price: Price,
  ) {}

  /**
   * Sets a part of the budget aside for one call.
   * @returns how many of the images are granted: 1 or more, or 0 where open calls hold the rest of the budget
   * @throws BudgetExhaustedError where nothing is left and nothing is open
   */
  async reserve(request: ReserveRequest): Promise<number> {
    return this.#change((record) => {
      if (record.open[request.callId]) return record.open[request.callId]!.images;
      const spent = spentBy(record, request.run);
      const images = Math.min(request.images, this.#affordable(request.budget, spent));
      if (images <= 0) {
        if (spent.openImages > 0) return 0;
        throw new BudgetExhaustedError(request.run, this.teacher, spent, request.budget);
      }
      const { run, phase, unit, holder } = request;
      record.open[request.callId] = {
        run,
        phase,
        unit,
        images,
        moneyMicros: priceOf(this.price, images),
        state: 'reserved',
        holder,
      };
      return images;
    });
  }

  /** From here on the call counts as made. To be durable before the first byte leaves. */
  async dispatch(callId: string): Promise<void> {
    await this.#change((record) => {
      const call = record.open[callId];
      if (!call) throw new BbdError('internal', `call ${callId} is not in the ledger of ${this.teacher}`);
      call.state = 'dispatched';
    });
  }

  /** Gives back what a call that was never dispatched held. */
  async release(callId: string): Promise<void> {
    await this.#change((record) => {
      if (record.open[callId]?.state === 'dispatched') {
        throw new BbdError('internal', `call ${callId} was dispatched: it can be settled, not released`);
      }
      delete record.open[callId];
    });
  }

  /** Ends a dispatched call. A call that is settled already stays as it is. */
  async settle(callId: string, settlement: Settlement): Promise<void> {
    await this.#change((record) => {
      const call = record.open[callId];
      if (!call) return;
      delete record.open[callId];
      const usage = usageOf(record, call.run, call.phase);
      const charged = settlement.settled + settlement.unknown;
      usage.settled += settlement.settled;
      usage.unknown += settlement.unknown;
      usage.failed += settlement.failed;
      usage.retried += settlement.retried ? 1 : 0;
      usage.calls += 1;
      usage.moneyMicros += settlement.charged ? priceOf({ ...this.price, perImageMicros: 0 }, 1) : 0;
      usage.moneyMicros += charged * this.price.perImageMicros;
    });
  }

  async read(): Promise<LedgerRecord> {
    return this.#change((record) => structuredClone(record));
  }

  /** Resolves when this process changes the ledger next. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#onChanged.push(resolve));
  }

  #affordable(budget: Budget, spent: Spent): number {
    let images = Infinity;
    if (budget.images !== undefined) images = budget.images - spent.images;
    if (budget.moneyMicros !== undefined) {
      const left = budget.moneyMicros - spent.moneyMicros - this.price.perCallMicros;
      if (left < 0) return 0;
      if (this.price.perImageMicros > 0) images = Math.min(images, Math.floor(left / this.price.perImageMicros));
    }
    return images;
  }

  #change<T>(apply: (record: LedgerRecord) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#waiting.push({ apply, resolve: resolve as (value: unknown) => void, reject });
      if (!this.#writing) void this.#write();
    });
  }

  async #write(): Promise<void> {
    this.#writing = true;
    // Changes of the same turn of the event loop go into the same write.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const batch = this.#waiting;
      this.#waiting = [];
      await this.#commit(batch);
    }
    this.#writing = false;
  }

  async #commit(batch: Change[]): Promise<void> {
    for (;;) {
      try {
        const { value, bytes, revision } = (this.#record ??= await this.#load());
        const results = batch.map(({ apply }) => {
          try {
            return { value: apply(value) };
          } catch (error) {
            return { error };
          }
        });
        const after = encodeJson(value);
        const changed = Buffer.compare(bytes, after) !== 0;
        if (changed) {
          const key = keyOf(this.teacher);
          const written =
            revision === undefined
              ? await this.state.create(key, after)
              : await this.state.update(key, after, revision);
          this.#record = { value, bytes: after, revision: written };
        } else if (!(await this.#isCurrent(revision))) {
          this.#record = undefined;
          continue;
        }
        batch.forEach(({ resolve, reject }, index) => {
          const result = results[index]!;
          if ('error' in result) reject(result.error);
          else resolve(result.value);
        });
        // Only true changes: a refused reservation must not wake itself.
        if (changed) this.#announce();
        return;
      } catch (error) {
        this.#record = undefined;
        if (error instanceof RevisionMismatchError || error instanceof KeyExistsError) continue;
        // Fails closed: a store that can't be reached grants nothing.
        const cause = asBbdError(error);
        batch.forEach(({ reject }) => reject(cause));
        return;
      }
    }
  }

  async #load(): Promise<Loaded> {
    const entry = await this.state.get(keyOf(this.teacher));
    const bytes = entry?.value ?? encodeJson({ schema: 1, runs: {}, open: {} } satisfies LedgerRecord);
    return { value: decodeJson<LedgerRecord>(bytes), bytes, revision: entry?.revision };
  }

  /** A batch that changed nothing (a refusal, a reading) must still have seen the newest record. */
  async #isCurrent(revision: number | undefined): Promise<boolean> {
    return (await this.state.get(keyOf(this.teacher)))?.revision === revision;
  }

  #announce(): void {
    const waiting = this.#onChanged;
    this.#onChanged = [];
    for (const resolve of waiting) resolve();
  }
}

const keyOf = (teacher: string) => `ledger/${teacher}`;

export function spentBy(record: LedgerRecord, run: string): Spent {
  const spent: Spent = { images: 0, moneyMicros: 0, openImages: 0 };
  for (const usage of Object.values(record.runs[run] ?? {})) {
    spent.images += usage.settled + usage.unknown;
    spent.moneyMicros += usage.moneyMicros;
  }
  for (const call of Object.values(record.open)) {
    if (call.run !== run) continue;
    spent.images += call.images;
    spent.moneyMicros += call.moneyMicros;
    spent.openImages += call.images;
  }
  return spent;
}

function usageOf(record: LedgerRecord, run: string, phase: Phase): PhaseUsage {
  const phases = (record.runs[run] ??= {});
  return (phases[phase] ??= { settled: 0, unknown: 0, failed: 0, retried: 0, calls: 0, moneyMicros: 0 });
}
