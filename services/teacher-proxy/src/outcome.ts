import { BbdError } from '@bbdistill/common';
import type { Clock, ImageBatch } from '@bbdistill/common';
import type { AnswerKey, CachedAnswer } from './cache.js';
import type { TeacherConfig } from './registry.js';
import type { Question, Session } from './session.js';
import type { ImageAnswer, QueryOutcome, Teacher } from './teacher.js';

/** Asks the teacher and waits no longer than a call may take. Throws nothing: what goes wrong is an outcome as well. */
export async function queryWithin(
  { adapter, limits }: TeacherConfig,
  teacher: Teacher,
  images: ImageBatch,
  clock: Clock,
): Promise<QueryOutcome> {
  const timeout = new AbortController();
  const done = new AbortController();
  void clock.sleep(limits.timeoutMs, done.signal).then(
    () => timeout.abort(),
    () => undefined,
  );
  try {
    return await teacher.query(images, timeout.signal);
  } catch (cause) {
    // Images or settings that the adapter can't send at all, e.g. a secret that isn't there.
    if (cause instanceof BbdError && cause.kind === 'invalid-argument') {
      return { kind: 'refused', code: cause.code, message: cause.message, sent: false };
    }
    // A bug of an adapter; the request may have left.
    return { kind: 'lost', message: `the adapter ${adapter} failed: ${String(cause)}`, cause };
  } finally {
    done.abort();
  }
}

export interface SortedAnswers {
  /** To be stored. */
  entries: { key: AnswerKey; answer: CachedAnswer }[];
  /** Images that aren't charged. */
  failed: number;
  /** Told to the session only once store and ledger have it: what fails in between stays open. */
  standings: (() => void)[];
}

/** What the answers of a call are for the images that it asked about, in the same order. */
export function sortAnswers(
  session: Session,
  { unit, callId }: { unit: string; callId: string },
  asked: readonly Question[],
  answers: readonly ImageAnswer[],
  billsFailures: boolean,
): SortedAnswers {
  const sorted: SortedAnswers = { entries: [], failed: 0, standings: [] };
  const { entries, standings } = sorted;
  answers.forEach((answer, index) => {
    const question = asked[index]!;
    if (!answer.ok) {
      const charged = answer.charged || billsFailures;
      if (!charged) sorted.failed++;
      if (answer.retryable) standings.push(() => session.fail([question], charged, answer.message));
      else standings.push(() => session.setAside(question, charged ? 'charged' : 'failed', answer.message));
    } else if (typeof answer.raw !== 'string' && !answer.raw.every(Number.isFinite)) {
      const shown = Array.from(answer.raw.subarray(0, 8)).join(', ');
      standings.push(() => session.setAside(question, 'charged', `the answer's values are no numbers: [${shown}]`));
    } else {
      entries.push({ key: question.key, answer: { raw: answer.raw, unit, callId } });
      standings.push(() => session.resolve(question, 'settled', answer.raw));
    }
  });
  return sorted;
}
