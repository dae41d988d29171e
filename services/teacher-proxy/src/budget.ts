import {
  BbdError,
  ConflictError,
  KeyExistsError,
  RevisionMismatchError,
  asBbdError,
  decodeJson,
  encodeJson,
} from '@bbdistill/common';
import type { Clock, ProcessMarks, RandomStream, StateStore } from '@bbdistill/common';
import type { Price, TeacherBudget } from './registry.js';

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
  /** Images of the month's free tier that it may use. */
  free?: number;
  /** From `dispatched` on, the request may have reached the teacher. */
  state: 'reserved' | 'dispatched';
  /** The process that makes the call. */
  holder: string;
}

export type RunUsage = Partial<Record<Phase, PhaseUsage>>;

/** What all runs together have spent in a month. */
export interface MonthUsage {
  images: number;
  moneyMicros: number;
  /** Images that the free tier paid for. */
  free: number;
}

export interface LedgerRecord {
  schema: 1;
  /** Runs of late, the longest unused ones first; others are in records of their own. */
  runs: Record<string, RunUsage>;
  open: Record<string, OpenCall>;
  /** Processes that make calls or claim images, with a number that grows with each sign of life. */
  holders?: Record<string, number>;
  /** By `2026-11`, UTC. */
  months?: Record<string, MonthUsage>;
  total?: { images: number; moneyMicros: number };
  /** Runs (and `*` for the teacher's own ceilings) that were warned of their budget's end. */
  warned?: string[];
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
  /** The call goes out as soon as this is durable: reserved and dispatched in one step. */
  dispatched?: boolean;
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

/** Others took this process for dead: its open calls are settled, its claims free. What wasn't sent has to start anew. */
export class ClaimLostError extends ConflictError {
  constructor(holder: string, teacher: string) {
    super(`${holder} stood still for so long that others took over its work at teacher "${teacher}"`, {
      code: 'CLAIM_LOST',
    });
  }
}

/** The run's budget can't cover the next image. What was answered is kept; a larger budget goes on from here. */
export class BudgetExhaustedError extends BbdError {
  constructor(
    readonly run: string,
    readonly teacher: string,
    readonly spent: Spent,
    readonly budget: Budget,
    /** Where it isn't the run's own budget that ends: which ceiling of the teacher does. */
    teacherCeiling?: string,
  ) {
    const ceiling =
      budget.images !== undefined && spent.images >= budget.images
        ? `${spent.images} of ${budget.images} images`
        : `${spent.images} images and ${spent.moneyMicros} of ${budget.moneyMicros} millionths of its money`;
    super(
      'budget-exhausted',
      teacherCeiling
        ? `teacher "${teacher}" has used up ${teacherCeiling}: answers so far are kept; raise it in the teacher's settings, or resume run ${run} later`
        : `run ${run} has spent ${ceiling} at teacher "${teacher}": answers so far are kept; resume it with a larger budget`,
      { code: 'BUDGET_EXHAUSTED', retryable: false },
    );
  }
}

/** Millionths of the currency for one call. */
export function priceOf(price: Price, images: number): number {
  return images * price.perImageMicros + (images > 0 ? price.perCallMicros : 0);
}

export interface LedgerOptions {
  clock: Clock;
  /** A process that shows no life for so long is taken for dead. Longer than a call may take. */
  leaseMs: number;
  /** For how long to wait after another process's write came first; absent: not at all. */
  random?: RandomStream;
  /** Where they are at hand, a reserved call is marked as dispatched without a write that waits for the disk. */
  marks?: ProcessMarks;
  /** The operator's ceilings over all runs. */
  budget?: TeacherBudget;
  /** Told once when a run (or the teacher, `*`) has spent the part of its budget from which a warning is due. */
  onWarning?: (run: string, spent: Spent, budget: Budget) => void;
}

/** Runs beyond so many leave the record for ones of their own, so that it stays small. */
export const MAX_RUNS_IN_LEDGER = 64;
const DEFAULT_WARN_AT = 0.8;
/** How much sooner a process itself doubts its claim than others do. */
const CLAIM_MARGIN_MS = 2_000;
const BEATS_PER_LEASE = 4;
const MAX_CONFLICT_BACKOFF_MS = 16;

interface Loaded {
  value: LedgerRecord;
  bytes: Uint8Array;
  revision: number | undefined;
}

type Change = {
  /** Whose earlier usage has to be at hand. */
  run?: string;
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
  /** What was read or written last, also while another process's write makes it old. */
  #lastSeen: LedgerRecord | undefined;
  #waiting: Change[] = [];
  #writing = false;
  /** Others write as well: what is known is likely to be old, and a look costs less than a write that is refused. */
  #isContended = false;
  #onChanged: (() => void)[] = [];
  /** Holders that this process answers for: how many tasks need each, and when its last write began. */
  readonly #joined = new Map<string, { tasks: number; aliveAtMs: number }>();
  #beating: AbortController | undefined;
  #warnings: (() => void)[] = [];
  #entering: string[] = [];
  /** What happened and could not be written. */
  #owed: ((record: LedgerRecord) => unknown)[] = [];

  constructor(
    private readonly state: StateStore,
    readonly teacher: string,
    private readonly price: Price,
    private readonly options?: LedgerOptions,
  ) {}

  /** Shows others that the holder lives, until as many `leave`s. To be called before it claims or reserves anything. */
  async join(holder: string): Promise<void> {
    const joined = this.#joined.get(holder);
    if (joined) joined.tasks++;
    await this.#change((record) => this.#enter(record, holder));
    if (!joined) {
      const entered = this.#joined.get(holder);
      if (entered) entered.tasks++;
    }
    this.#beat();
  }

  leave(holder: string): void {
    const joined = this.#joined.get(holder);
    if (joined) joined.tasks = Math.max(0, joined.tasks - 1);
  }

  /**
   * Whether others can't have taken this process for dead yet. Right before the first byte leaves, by the monotonic
   * clock: a process that was frozen since its last write has to write again first.
   */
  isAlive(holder: string): boolean {
    const { clock, leaseMs } = this.options ?? {};
    const joined = this.#joined.get(holder);
    if (!clock || leaseMs === undefined) return true;
    return (
      joined !== undefined && clock.monotonicMs() - joined.aliveAtMs < Math.max(leaseMs - CLAIM_MARGIN_MS, leaseMs / 2)
    );
  }

  /** Takes a holder out whose calls have been brought to their end; what it claimed is free. */
  async bury(holder: string): Promise<void> {
    await this.#change((record) => {
      const isOpen = Object.values(record.open).some((call) => call.holder === holder);
      if (record.holders && !isOpen) delete record.holders[holder];
    });
  }

  /** Stops showing life. */
  async close(): Promise<void> {
    this.#beating?.abort();
    for (const holder of [...this.#joined.keys()]) {
      this.#joined.delete(holder);
      await this.bury(holder);
    }
  }

  /**
   * Sets a part of the budget aside for one call.
   * @returns how many of the images are granted: 1 or more, or 0 where open calls hold the rest of the budget
   * @throws BudgetExhaustedError where nothing is left and nothing is open
   */
  async reserve(request: ReserveRequest): Promise<number> {
    return this.#change((record) => {
      if (record.open[request.callId]) return record.open[request.callId]!.images;
      const { run, phase, unit, holder, budget } = request;
      const spent = spentBy(record, run);
      const freeLeft = this.#freeLeft(record);
      const ceilings = this.#ceilings(record);
      const affordable = Math.min(
        this.#affordable(budget, spent, freeLeft),
        ...ceilings.map((ceiling) => this.#affordable(ceiling.budget, ceiling.spent, freeLeft)),
      );
      const images = Math.min(request.images, affordable);
      if (images <= 0) {
        const reached = ceilings.find((ceiling) => this.#affordable(ceiling.budget, ceiling.spent, freeLeft) <= 0);
        if ((reached?.spent ?? spent).openImages > 0) return 0;
        throw new BudgetExhaustedError(run, this.teacher, spent, budget, reached?.name);
      }
      this.#enter(record, holder);
      record.runs[run] ??= {};
      const free = Math.min(images, freeLeft);
      record.open[request.callId] = {
        run,
        phase,
        unit,
        images,
        moneyMicros: priceOf(this.price, images) - free * this.price.perImageMicros,
        ...(free > 0 && { free }),
        state: request.dispatched ? 'dispatched' : 'reserved',
        holder,
      };
      this.#warn(record, run, budget);
      return images;
    }, request.run);
  }

  /** Whether to dispatch a reserved call costs next to nothing. */
  get marksDispatch(): boolean {
    return this.options?.marks !== undefined;
  }

  /**
   * From here on the call counts as made. To be durable before the first byte leaves: where it is only marked, it is
   * after the end of this process, and after one of the machine every reserved call counts as made.
   * @throws ClaimLostError where others have brought the call to its end: it must not be sent
   */
  async dispatch(callId: string): Promise<void> {
    const { marks } = this.options ?? {};
    const holder = this.#lastSeen?.open[callId]?.holder;
    if (marks && holder !== undefined && this.isAlive(holder)) return marks.add(callId);
    await this.#change((record) => {
      const call = record.open[callId];
      if (!call) throw new ClaimLostError(`the process that makes call ${callId}`, this.teacher);
      this.#enter(record, call.holder);
      call.state = 'dispatched';
    });
  }

  /** Whether the request of an open call may have reached the teacher, as far as the process that made it could tell. */
  mayHaveLeft(callId: string, { state }: Pick<OpenCall, 'state'>): boolean {
    const { marks } = this.options ?? {};
    return state === 'dispatched' || (marks !== undefined && (!marks.isWhole || marks.has(callId)));
  }

  /** Gives back what a call that was never dispatched held. */
  async release(callId: string): Promise<void> {
    await this.#change((record) => {
      const call = record.open[callId];
      if (call && this.mayHaveLeft(callId, call)) {
        throw new BbdError('internal', `call ${callId} was dispatched: it can be settled, not released`);
      }
      delete record.open[callId];
    });
  }

  /** Takes back a call of which its own sender knows that it was never sent; done later where the store is away. */
  async withdraw(callId: string): Promise<void> {
    await this.#soonerOrLater((record) => {
      delete record.open[callId];
    });
    this.options?.marks?.remove(callId);
  }

  /**
   * Ends a dispatched call. A call that is settled already stays as it is. Where the store is away this fails, and is
   * made up for by the next write.
   * @returns whether it was this settlement that ended the call
   */
  async settle(callId: string, settlement: Settlement): Promise<boolean> {
    const isEnded = await this.#soonerOrLater((record) => {
      const call = record.open[callId];
      if (!call) return false;
      delete record.open[callId];
      const usage = usageOf(record, call.run, call.phase);
      const charged = settlement.settled + settlement.unknown;
      const free = Math.min(charged, call.free ?? 0);
      const moneyMicros =
        (settlement.charged ? priceOf({ ...this.price, perImageMicros: 0 }, 1) : 0) +
        (charged - free) * this.price.perImageMicros;
      const month = this.#month(record);
      month.images += charged;
      month.moneyMicros += moneyMicros;
      month.free += free;
      const total = (record.total ??= { images: 0, moneyMicros: 0 });
      total.images += charged;
      total.moneyMicros += moneyMicros;
      usage.settled += settlement.settled;
      usage.unknown += settlement.unknown;
      usage.failed += settlement.failed;
      usage.retried += settlement.retried ? 1 : 0;
      usage.calls += 1;
      usage.moneyMicros += moneyMicros;
      return true;
    });
    this.options?.marks?.remove(callId);
    return isEnded;
  }

  /** All runs, also those that left the record. */
  async *usage(run?: string): AsyncIterable<[string, RunUsage]> {
    const { runs } = await this.read();
    const archived = run === undefined ? archiveOf(this.teacher, '') : archiveOf(this.teacher, run);
    for await (const entry of this.state.list(archived)) {
      const name = entry.key.slice(archiveOf(this.teacher, '').length);
      if (!runs[name] && (run === undefined || name === run)) yield [name, decodeJson<RunUsage>(entry.value)];
    }
    for (const [name, usage] of Object.entries(runs)) if (run === undefined || name === run) yield [name, usage];
  }

  /**
   * Whether nothing is left for the run by what this process has seen last: for whoever would wait long before it asks.
   * Only {@link reserve} decides.
   */
  seemsSpent(run: string, budget: Budget): boolean {
    const record = this.#lastSeen;
    if (!record) return true;
    const freeLeft = this.#freeLeft(record);
    const all = [{ budget, spent: spentBy(record, run) }, ...this.#ceilings(record)];
    return all.some((each) => this.#affordable(each.budget, each.spent, freeLeft) <= 0);
  }

  async read(): Promise<LedgerRecord> {
    return this.#change((record) => structuredClone(record));
  }

  /** Resolves when this process changes the ledger next. */
  changed(): Promise<void> {
    return new Promise((resolve) => this.#onChanged.push(resolve));
  }

  /** Enters the holder, or shows that it lives. @throws ClaimLostError where others took it for dead */
  #enter(record: LedgerRecord, holder: string): void {
    const holders = (record.holders ??= {});
    const joined = this.#joined.get(holder);
    if (joined && holders[holder] === undefined) {
      this.#joined.delete(holder);
      throw new ClaimLostError(holder, this.teacher);
    }
    holders[holder] ??= 0;
    if (!joined) this.#entering.push(holder);
  }

  #showLife(record: LedgerRecord, holder: string): void {
    this.#enter(record, holder);
    record.holders![holder]!++;
  }

  /** Shows life while a task needs it, and takes the holder out some time after. */
  #beat(): void {
    if (!this.options || this.#beating) return;
    const { clock, leaseMs } = this.options;
    const stop = (this.#beating = new AbortController());
    void (async () => {
      while (this.#joined.size > 0) {
        await clock.sleep(leaseMs / BEATS_PER_LEASE, stop.signal);
        for (const [holder, { tasks }] of [...this.#joined]) {
          if (tasks > 0) await this.#change((record) => this.#showLife(record, holder)).catch(() => undefined);
          else {
            this.#joined.delete(holder);
            await this.bury(holder).catch(() => undefined);
          }
        }
      }
    })()
      .catch(() => undefined)
      .finally(() => {
        this.#beating = undefined;
        if (this.#joined.size > 0 && !stop.signal.aborted) this.#beat();
      });
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
    const name = this.options ? new Date(this.options.clock.nowMs()).toISOString().slice(0, 7) : 'any';
    return (months[name] ??= { images: 0, moneyMicros: 0, free: 0 });
  }

  #freeLeft(record: LedgerRecord): number {
    const free = this.price.freeImagesPerMonth ?? 0;
    if (free === 0) return 0;
    const open = Object.values(record.open).reduce((sum, call) => sum + (call.free ?? 0), 0);
    return Math.max(0, free - this.#month(record).free - open);
  }

  /** The operator's ceilings over all runs, and what counts against them. */
  #ceilings(record: LedgerRecord): { name: string; budget: Budget; spent: Spent }[] {
    const { budget } = this.options ?? {};
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
      },
    ];
  }

  #warn(record: LedgerRecord, run: string, budget: Budget): void {
    const { onWarning, budget: own } = this.options ?? {};
    if (!onWarning) return;
    const warned = (record.warned ??= []);
    const warnAt = own?.warnAt ?? DEFAULT_WARN_AT;
    const isNear = (spent: Spent, of: Budget) =>
      spent.images >= warnAt * (of.images ?? Infinity) || spent.moneyMicros >= warnAt * (of.moneyMicros ?? Infinity);
    const check = (name: string, spent: Spent, of: Budget) => {
      if (warned.includes(name) || !isNear(spent, of)) return;
      warned.push(name);
      this.#warnings.push(() => onWarning(name, spent, of));
    };
    check(run, spentBy(record, run), budget);
    for (const ceiling of this.#ceilings(record)) check('*', ceiling.spent, ceiling.budget);
    warned.splice(0, warned.length - 2 * MAX_RUNS_IN_LEDGER);
  }

  async #soonerOrLater<T>(apply: (record: LedgerRecord) => T): Promise<T> {
    try {
      return await this.#change(apply);
    } catch (error) {
      this.#owed.push(apply);
      throw error;
    }
  }

  #change<T>(apply: (record: LedgerRecord) => T, run?: string): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const change = { apply, resolve: resolve as (value: unknown) => void, reject };
      this.#waiting.push(run === undefined ? change : { ...change, run });
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
    for (let conflicts = 0; ; conflicts++) {
      try {
        if (conflicts > 0) await this.#backOff(conflicts);
        else if (this.#isContended) await this.#look();
        const { value, bytes, revision } = (this.#record ??= await this.#load());
        this.#lastSeen = value;
        const beganMs = this.options?.clock.monotonicMs() ?? 0;
        this.#warnings = [];
        this.#entering = [];
        await this.#recall(value, batch);
        const owed = this.#owed.length;
        for (const apply of this.#owed) apply(value);
        const results = batch.map(({ apply }) => {
          try {
            return { value: apply(value) };
          } catch (error) {
            return { error };
          }
        });
        const alive = [...this.#joined].filter(([holder]) => value.holders?.[holder] !== undefined);
        if (Buffer.compare(bytes, encodeJson(value)) !== 0) for (const [holder] of alive) value.holders![holder]!++;
        if (Object.keys(value.runs).length > MAX_RUNS_IN_LEDGER) await this.#archive(value);
        const after = encodeJson(value);
        const changed = Buffer.compare(bytes, after) !== 0;
        if (changed) {
          const key = keyOf(this.teacher);
          const written =
            revision === undefined
              ? await this.state.create(key, after)
              : await this.state.update(key, after, revision);
          this.#record = { value, bytes: after, revision: written };
          this.#owed.splice(0, owed);
          for (const [, joined] of alive) joined.aliveAtMs = beganMs;
          for (const warn of this.#warnings) warn();
        } else if (!(await this.#isCurrent(revision))) {
          this.#record = undefined;
          continue;
        }
        for (const holder of this.#entering) {
          if (!this.#joined.has(holder)) this.#joined.set(holder, { tasks: 0, aliveAtMs: beganMs });
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
        if (error instanceof RevisionMismatchError || error instanceof KeyExistsError) {
          this.#isContended = true;
          continue;
        }
        // Fails closed: a store that can't be reached grants nothing.
        const cause = asBbdError(error);
        batch.forEach(({ reject }) => reject(cause));
        return;
      }
    }
  }

  /** Replicas that write at the same moment would be in each other's way again and again. */
  async #backOff(conflicts: number): Promise<void> {
    const { clock, random } = this.options ?? {};
    if (clock && random) await clock.sleep(random.between(0, Math.min(MAX_CONFLICT_BACKOFF_MS, 2 ** conflicts)));
  }

  async #look(): Promise<void> {
    const before = this.#record;
    const found = await this.#load();
    this.#isContended = found.revision !== before?.revision;
    if (this.#isContended) this.#record = found;
  }

  async #load(): Promise<Loaded> {
    const entry = await this.state.get(keyOf(this.teacher));
    const bytes = entry?.value ?? encodeJson({ schema: 1, runs: {}, open: {} } satisfies LedgerRecord);
    return { value: decodeJson<LedgerRecord>(bytes), bytes, revision: entry?.revision };
  }

  /** Brings back what archived runs have spent, before anything is decided about them. */
  async #recall(record: LedgerRecord, batch: readonly Change[]): Promise<void> {
    for (const { run } of batch) {
      if (run === undefined || record.runs[run]) continue;
      // Read after the record: an archive is written before its run leaves the record.
      const archived = await this.state.get(archiveOf(this.teacher, run));
      if (archived) record.runs[run] = decodeJson<RunUsage>(archived.value);
    }
  }

  /** Moves the longest unused runs into records of their own; they leave this one by the write that follows. */
  async #archive(record: LedgerRecord): Promise<void> {
    const open = new Set(Object.values(record.open).map(({ run }) => run));
    const idle = Object.keys(record.runs).filter((run) => !open.has(run));
    for (const run of idle.slice(0, Object.keys(record.runs).length - MAX_RUNS_IN_LEDGER / 2)) {
      const key = archiveOf(this.teacher, run);
      const value = encodeJson(record.runs[run]);
      const found = await this.state.get(key);
      if (found) await this.state.update(key, value, found.revision);
      else await this.state.create(key, value);
      delete record.runs[run];
    }
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
const archiveOf = (teacher: string, run: string) => `ledger-runs/${teacher}/${run}`;

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
  const phases = record.runs[run] ?? {};
  // The run used last is the last one: the first ones are archived first.
  delete record.runs[run];
  record.runs[run] = phases;
  return (phases[phase] ??= { settled: 0, unknown: 0, failed: 0, retried: 0, calls: 0, moneyMicros: 0 });
}
