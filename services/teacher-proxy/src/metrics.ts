import { counter, histogram, inSpan } from '@bbdistill/common';
import type { Clock } from '@bbdistill/common';
import { PHASES } from './ledger-record.js';
import { rulesOf } from './limits.js';
import type { LimitRule, RuleSource } from './limits.js';
import type { QueryOutcome } from './teacher.js';
import type { QueryCounts } from './usage.js';

const MS_PER_SECOND = 1_000;
/** Over how long the use of a limit is averaged. */
export const UTILISATION_WINDOW_MS = 30_000;
const LONGEST_WINDOW_MS = 120_000;
const BUCKETS_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
/** Each image is counted in exactly one of them. */
const OUTCOMES = ['cached', 'coalesced', 'settled', 'unknown', 'failed', 'unresolved'] as const;

const images = counter('bbdistill_teacher_images_total', {
  description: 'images asked about, by teacher, phase and what came of them; billed = settled + unknown',
});
const callSeconds = histogram('bbdistill_teacher_call_seconds', {
  description: 'calls to teachers, by teacher and outcome: how many and how long',
  bounds: BUCKETS_SECONDS,
});
const waitSeconds = histogram('bbdistill_limiter_wait_seconds', {
  description: "how long calls waited for the teacher's limit, by teacher",
  bounds: BUCKETS_SECONDS,
});

const storeSeconds = histogram('bbdistill_teacher_store_seconds', {
  description: "from a teacher's answers to their being stored and settled, by teacher: until then they can be lost",
  bounds: BUCKETS_SECONDS,
});
/** Longer than any disk or store takes that is well. */
const LATE_STORE_MS = 500;

/** From 0 on, so that whoever looks for changes sees the first loss as well. */
export function showImages(teacher: string): void {
  for (const phase of PHASES) for (const outcome of OUTCOMES) images().add(0, { teacher, phase, outcome });
}

/** Counts what became of the images of one unit of work. */
export function countImages(teacher: string, phase: string, counts: QueryCounts): void {
  for (const outcome of OUTCOMES) {
    if (counts[outcome] > 0) images().add(counts[outcome], { teacher, phase, outcome });
  }
}

/** Measures the wait for a turn. */
export async function measuredWait<T>(teacher: string, clock: Clock, wait: () => Promise<T>): Promise<T> {
  const startedMs = clock.monotonicMs();
  try {
    return await wait();
  } finally {
    waitSeconds().record((clock.monotonicMs() - startedMs) / MS_PER_SECOND, { teacher });
  }
}

/** A call to a teacher as a span, in the metrics, and in the use of its limit. */
export async function measuredCall(
  teacher: string,
  asked: number,
  clock: Clock,
  use: LimitUse,
  call: () => Promise<QueryOutcome>,
): Promise<QueryOutcome> {
  const attributes = { 'bbdistill.teacher': teacher, 'bbdistill.images': asked };
  return inSpan('teacher call', { kind: 'client', attributes }, async (span) => {
    const startedMs = clock.monotonicMs();
    const outcome = await call();
    const durationMs = clock.monotonicMs() - startedMs;
    span.setAttribute('bbdistill.outcome', outcome.kind);
    callSeconds().record(durationMs / MS_PER_SECOND, { teacher, outcome: outcome.kind });
    use.add(asked, durationMs);
    return outcome;
  });
}

/** Measures how long answers take to be stored and settled. @param onLate told while they still aren't */
export async function measuredStore(
  teacher: string,
  clock: Clock,
  onLate: (sinceMs: number) => void,
  store: () => Promise<void>,
): Promise<void> {
  const startedMs = clock.monotonicMs();
  const over = new AbortController();
  void clock.sleep(LATE_STORE_MS, over.signal).then(
    () => onLate(clock.monotonicMs() - startedMs),
    () => undefined,
  );
  try {
    await store();
    storeSeconds().record((clock.monotonicMs() - startedMs) / MS_PER_SECOND, { teacher });
  } finally {
    over.abort();
  }
}

interface Use {
  atMs: number;
  images: number;
  calls: number;
  durationMs: number;
}

/** How much of a teacher's limit this process has used lately. */
export class LimitUse {
  #uses: Use[] = [];
  readonly #rules: readonly LimitRule[];

  constructor(
    limits: RuleSource,
    private readonly clock: Clock,
  ) {
    // What may be used in a day says nothing of whether more replicas would be of use now.
    this.#rules = rulesOf(limits).filter(({ windowMs }) => windowMs <= LONGEST_WINDOW_MS);
  }

  add(asked: number, durationMs: number): void {
    this.#uses.push({ atMs: this.clock.monotonicMs(), images: asked, calls: 1, durationMs });
    this.#forget();
  }

  /** Of the limit that binds most, averaged over {@link UTILISATION_WINDOW_MS}; 1 = all of it. */
  ratio(): number {
    this.#forget();
    const parts = this.#rules.map(({ unit, amount, windowMs }) => {
      const used = this.#uses.reduce((sum, use) => sum + (windowMs === 0 ? use.durationMs : use[unit]), 0);
      return used / (amount * (UTILISATION_WINDOW_MS / (windowMs || 1)));
    });
    return Math.min(1, Math.max(...parts));
  }

  #forget(): void {
    const since = this.clock.monotonicMs() - UTILISATION_WINDOW_MS;
    const first = this.#uses.findIndex(({ atMs }) => atMs > since);
    this.#uses = first < 0 ? [] : this.#uses.slice(first);
  }
}
