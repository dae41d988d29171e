import type { Unanswered } from './http.js';

/** What became of a question about the teacher, put before a call: it costs nothing, whatever the teacher bills. */
export function unpaid(outcome: Unanswered): Unanswered {
  if (outcome.kind === 'lost') return { ...outcome, kind: 'unreachable' };
  if (outcome.kind === 'failed') return overloaded(outcome);
  return outcome.kind === 'refused' ? { ...outcome, sent: false } : outcome;
}

/** The teacher is to be left alone for now. */
export function overloaded(failure: Unanswered): Unanswered {
  if (failure.kind === 'throttled') return failure;
  const wait = 'retryAfterMs' in failure ? { retryAfterMs: failure.retryAfterMs } : {};
  return { kind: 'throttled', reason: 'overloaded', message: failure.message, ...wait };
}
