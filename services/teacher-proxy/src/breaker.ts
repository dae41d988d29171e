import { CancelledError } from '@bbdistill/common';
import type { Clock } from '@bbdistill/common';
import type { QueryOutcome } from './teacher.js';

/** So many calls in a row without an answer, and no further one is made for a while. */
export const BREAKER_FAILURES = 8;
export const FIRST_COOL_DOWN_MS = 1_000;
export const MAX_COOL_DOWN_MS = 60_000;
const RESTS_IN_VAIN_AT_START = 2;
/** Of 1, 2, 4 … 32 and 60 s: two minutes. */
const RESTS_IN_VAIN_IN_AN_OUTAGE = 7;

export interface BreakerState {
  /** `half-open`: one call is under way to see whether the teacher is back. */
  state: 'closed' | 'open' | 'half-open';
  /** Why, and what is waited for; empty where it is closed. */
  detail: string;
}

/** Leave to make a call. */
export interface Leave {
  /** The one that is made to see whether the teacher is back. */
  readonly isProbe: boolean;
  /** How often the breaker had opened before. */
  readonly openings: number;
}

/** Keeps calls from a teacher that answers none of them. Every call that it would fail may cost, and none helps. */
export class CircuitBreaker {
  #failures = 0;
  /** Calls after a rest that failed as those before it. */
  #restsInVain = 0;
  #hasAnswered = false;
  #coolDownMs = FIRST_COOL_DOWN_MS;
  #openUntilMs: number | undefined;
  #openings = 0;
  #probe: Leave | undefined;
  #reason = '';
  #waiting: (() => void)[] = [];

  constructor(
    private readonly clock: Clock,
    /** Told when it opens, with how long it stays open at least. */
    private readonly onOpen: (coolDownMs: number, reason: string) => void = () => undefined,
  ) {}

  /**
   * Waits until a call may be made. While it is half open, only one is.
   * @throws CancelledError when the signal aborts first
   */
  async pass(signal: AbortSignal): Promise<Leave> {
    while (this.#openUntilMs !== undefined) {
      const leftMs = this.#openUntilMs - this.clock.monotonicMs();
      if (leftMs > 0) await this.clock.sleep(leftMs, signal);
      else if (!this.#probe) return (this.#probe = { isProbe: true, openings: this.#openings });
      else {
        await new Promise<void>((resolve) => {
          this.#waiting.push(resolve);
          signal.addEventListener('abort', () => resolve(), { once: true });
        });
        if (signal.aborted) throw new CancelledError('cancelled while the teacher is given a rest');
      }
    }
    return { isProbe: false, openings: this.#openings };
  }

  /** Whether the call may still be made: not where the breaker has opened since, other calls having failed. */
  holds(leave: Leave): boolean {
    return leave.isProbe || leave.openings === this.#openings;
  }

  /** What came of a call that had leave; undefined where it wasn't sent. */
  note(leave: Leave, outcome: QueryOutcome | undefined): void {
    const wasProbing = leave === this.#probe;
    if (wasProbing) this.#probe = undefined;
    if (outcome && isFailure(outcome)) {
      this.#failures++;
      this.#reason = outcome.message;
      const isReopened = wasProbing && this.#openUntilMs !== undefined;
      if (isReopened) {
        this.#restsInVain++;
        this.#coolDownMs = Math.min(MAX_COOL_DOWN_MS, 2 * this.#coolDownMs);
      }
      if (isReopened || (this.#openUntilMs === undefined && this.#failures >= BREAKER_FAILURES)) {
        this.#openUntilMs = this.clock.monotonicMs() + this.#coolDownMs;
        this.#openings++;
        this.onOpen(this.#coolDownMs, this.state().detail);
      }
    } else if (outcome) {
      this.#hasAnswered = true;
      this.#restsInVain = 0;
      this.#failures = 0;
      this.#openUntilMs = undefined;
      this.#probe = undefined;
      this.#coolDownMs = FIRST_COOL_DOWN_MS;
    }
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const wake of waiting) wake();
  }

  /**
   * Whether waiting longer is of no use: an outage is waited for while the rests grow to the longest one; of a teacher
   * that has never answered, the first two are enough.
   */
  get isHopeless(): boolean {
    return this.#restsInVain >= (this.#hasAnswered ? RESTS_IN_VAIN_IN_AN_OUTAGE : RESTS_IN_VAIN_AT_START);
  }

  state(): BreakerState {
    if (this.#openUntilMs === undefined) return { state: 'closed', detail: '' };
    const leftMs = Math.max(0, Math.ceil(this.#openUntilMs - this.clock.monotonicMs()));
    const next =
      leftMs > 0 ? `the next call is tried in ${Math.ceil(leftMs / 1000)} s` : 'one call is tried before others follow';
    return {
      state: leftMs > 0 ? 'open' : 'half-open',
      detail: `${this.#failures} calls in a row failed (${this.#reason}): ${next}`,
    };
  }
}

/** Being turned away or refused is an answer of a teacher that is there. */
function isFailure(
  outcome: QueryOutcome,
): outcome is Extract<QueryOutcome, { kind: 'unreachable' | 'failed' | 'lost' }> {
  return outcome.kind === 'unreachable' || outcome.kind === 'failed' || outcome.kind === 'lost';
}
