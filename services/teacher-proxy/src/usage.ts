import { KeyExistsError, RevisionMismatchError, decodeJson, encodeJson } from '@bbdistill/common';
import type { StateStore } from '@bbdistill/common';
import { PHASES } from './ledger-record.js';
import type { Ledger } from './budget.js';
import type { Phase, PhaseUsage } from './ledger-record.js';

/**
 * Counts of images, except `retried` (calls).
 * asked + reasked = cached + coalesced + billed + failed + unresolved; billed = settled + unknown.
 */
export interface QueryCounts {
  asked: number;
  cached: number;
  coalesced: number;
  billed: number;
  failed: number;
  retried: number;
  unresolved: number;
  settled: number;
  unknown: number;
  /** Asked once more because the first query's answer was lost; 0 unless a call was lost. */
  reasked: number;
  /** Of those that have an answer: the teacher named no class, so that the image isn't trained on. */
  abstained: number;
  /** Of those that have a target: mass that the teacher didn't give was filled in. */
  completed: number;
  /** Of those that have a target: mass of labels that are no class here was left out. */
  dropped: number;
}

/** How the images of one unit of work (run, phase, images) stand: each is counted in exactly one way. */
export interface UnitRecord {
  teacher: string;
  run: string;
  phase: Phase;
  unit: string;
  /** While it is open only `asked` counts. */
  open: boolean;
  counts: QueryCounts;
}

export interface UsageLine {
  teacher: string;
  run: string;
  phase: Phase;
  counts: QueryCounts;
  costMicros: number;
  currency: string;
}

export function noCounts(): QueryCounts {
  return {
    asked: 0,
    cached: 0,
    coalesced: 0,
    billed: 0,
    failed: 0,
    retried: 0,
    unresolved: 0,
    settled: 0,
    unknown: 0,
    reasked: 0,
    abstained: 0,
    completed: 0,
    dropped: 0,
  };
}

/** What was asked and what came of it, one record per unit: a unit that is done again replaces its counts. */
export class UsageBook {
  constructor(private readonly state: StateStore) {}

  async write(record: UnitRecord): Promise<void> {
    const key = `${prefixOf(record.teacher, record.run)}${record.unit}`;
    const value = encodeJson(record);
    for (;;) {
      try {
        const found = await this.state.get(key);
        if (!found) await this.state.create(key, value);
        else await this.state.update(key, value, found.revision);
        return;
      } catch (error) {
        if (!(error instanceof KeyExistsError || error instanceof RevisionMismatchError)) throw error;
      }
    }
  }

  /** @param run absent: all runs */
  async *list(teacher: string, run?: string): AsyncIterable<UnitRecord> {
    for await (const entry of this.state.list(prefixOf(teacher, run))) {
      const record = decodeJson<UnitRecord>(entry.value);
      // A record of an earlier version lacks the counts that came later.
      yield { ...record, counts: { ...noCounts(), ...record.counts } };
    }
  }
}

const prefixOf = (teacher: string, run?: string) => `usage/${teacher}/${run === undefined ? '' : `${run}/`}`;

/**
 * The lines of a teacher, per run and phase. What was spent is the ledger's word, what was asked for is the units':
 * only together do they tell of images that were paid for and lost.
 */
export async function usageLines(
  book: UsageBook,
  ledger: Ledger,
  currency: string,
  run?: string,
): Promise<UsageLine[]> {
  const lines = new Map<string, UsageLine>();
  const lineOf = (ofRun: string, phase: Phase) => {
    const key = `${ofRun}/${PHASES.indexOf(phase)}`;
    let line = lines.get(key);
    if (!line) {
      line = { teacher: ledger.teacher, run: ofRun, phase, counts: noCounts(), costMicros: 0, currency };
      lines.set(key, line);
    }
    return line;
  };
  for await (const unit of book.list(ledger.teacher, run)) {
    const { counts } = lineOf(unit.run, unit.phase);
    counts.asked += unit.counts.asked;
    counts.cached += unit.counts.cached;
    counts.coalesced += unit.counts.coalesced;
    counts.failed += unit.counts.failed;
    counts.unresolved += unit.counts.unresolved;
    counts.abstained += unit.counts.abstained;
    counts.completed += unit.counts.completed;
    counts.dropped += unit.counts.dropped;
  }
  for await (const [ofRun, phases] of ledger.usage(run)) {
    for (const [phase, usage] of Object.entries(phases) as [Phase, PhaseUsage][]) {
      const line = lineOf(ofRun, phase);
      line.counts.settled = usage.settled;
      line.counts.unknown = usage.unknown;
      line.counts.retried = usage.retried;
      line.costMicros = usage.moneyMicros;
    }
  }
  for (const { counts } of lines.values()) reconcile(counts);
  return [...lines.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, line]) => line);
}

/** What is asked and not accounted for is under way; what is paid beyond what was asked was paid for twice. */
function reconcile(counts: QueryCounts): void {
  counts.billed = counts.settled + counts.unknown;
  const accounted = counts.cached + counts.coalesced + counts.billed + counts.failed + counts.unresolved;
  counts.unresolved += Math.max(0, counts.asked - accounted);
  counts.reasked = Math.max(0, accounted - counts.asked);
}
