import type { Price } from './registry.js';

/** Runs beyond so many leave the record for ones of their own, so that it stays small. */
export const MAX_RUNS_IN_LEDGER = 64;

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
  /** No call, but a part of the budget that the holder spends call by call in a record of its own. */
  isChunk?: true;
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
  /** Of what end a warning was given: run (`*`: all runs), month, images and money of the budget. */
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

/** Millionths of the currency for one call. */
export function priceOf(price: Price, images: number): number {
  return images * price.perImageMicros + (images > 0 ? price.perCallMicros : 0);
}

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

/** The counters of a run's phase, to be added to. */
export function usageOf(record: LedgerRecord, run: string, phase: Phase): PhaseUsage {
  const phases = record.runs[run] ?? {};
  // The run used last is the last one: the first ones are archived first.
  delete record.runs[run];
  record.runs[run] = phases;
  return (phases[phase] ??= { settled: 0, unknown: 0, failed: 0, retried: 0, calls: 0, moneyMicros: 0 });
}

/** The later one of two states of a run's usage, whose counters only grow. */
export function latestOf(one: RunUsage, other: RunUsage): RunUsage {
  const latest = structuredClone(one);
  for (const [phase, usage] of Object.entries(other) as [Phase, PhaseUsage][]) {
    const known = (latest[phase] ??= { ...usage });
    for (const counter of Object.keys(usage) as (keyof PhaseUsage)[]) {
      known[counter] = Math.max(known[counter], usage[counter]);
    }
  }
  return latest;
}

/** What is spent for good of a part of the budget. */
export type Used = PhaseUsage & {
  /** Images that the month's free tier paid for. */
  free: number;
};

/** What a call has used that ended so. */
export function usedBy(settlement: Settlement, call: OpenCall, price: Price): Used {
  const { settled, unknown, failed, retried, charged } = settlement;
  const billed = settled + unknown;
  const free = Math.min(billed, call.free ?? 0);
  const moneyMicros = (charged ? price.perCallMicros : 0) + (billed - free) * price.perImageMicros;
  return { settled, unknown, failed, retried: retried ? 1 : 0, calls: 1, moneyMicros, free };
}

/** The entry of a call that so many images are granted to. @param freeLeft of the month's free tier */
export function openCall(request: ReserveRequest, images: number, freeLeft: number, price: Price): OpenCall {
  const { run, phase, unit, holder, dispatched } = request;
  const free = Math.min(images, freeLeft);
  return {
    run,
    phase,
    unit,
    images,
    moneyMicros: priceOf(price, images) - free * price.perImageMicros,
    ...(free > 0 && { free }),
    state: dispatched ? 'dispatched' : 'reserved',
    holder,
  };
}
