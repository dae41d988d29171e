import { setMaxListeners } from 'node:events';
import { CancelledError, FailedPreconditionError, UnavailableError, pixelsPerImage } from '@bbdistill/common';
import type { AnswerBatch, AnswerProvenance, ImageBatch } from '@bbdistill/common';
import type { Budget, Phase } from './ledger-record.js';
import type { AnswerKey } from './cache.js';
import type { SharedAnswer } from './coalescer.js';
import { describeForm, normaliseAnswer } from './normalise.js';
import type { AnswerFault, Normalised } from './normalise.js';
import { MAX_FAILED_ATTEMPTS } from './retry.js';
import { isAnswered } from './standing.js';
import type { AnsweredStanding, Standing } from './standing.js';
import type { AnswerForm, RawAnswer } from './teacher.js';
import { noCounts } from './usage.js';
import type { QueryCounts } from './usage.js';

/** So many answers, none of them usable, and the work ends: the rest would be paid for in vain. */
export const MAX_UNUSABLE_ANSWERS = 8;

export interface LabelTask {
  run: string;
  phase: Phase;
  budget: Budget;
  /** K of the answer rows. */
  classes: number;
  images: ImageBatch;
  /** Where all answers that are kept are of no use, ask again; default: fail and say so. */
  reask?: boolean;
}

export interface LabelOptions {
  /** Stops before the next call; calls under way are settled first. */
  signal?: AbortSignal;
  /** Images that are done with, of `total`. */
  onProgress?: (done: number, total: number) => void;
}

export interface Labelled {
  answers: AnswerBatch;
  counts: QueryCounts;
}

/** One distinct image of a task. */
export interface Question {
  key: AnswerKey;
  hex: string;
  /** Its places in the batch; it is asked once for all. */
  places: number[];
  standing: Standing;
  raw?: RawAnswer;
  losses: number;
  failures: number;
}

/** One task under way: how its images stand, and whether it goes on. */
export class Session {
  readonly #stop = new AbortController();
  #failure: { error: unknown } | undefined;
  #usable = 0;
  #unusable = 0;
  #complaint: { fault: AnswerFault | 'NO_ANSWER'; message: string } | undefined;
  #done = 0;
  /** Useless answers that were not paid for now. */
  #keptUnusable = 0;
  readonly #scratch: Float32Array;
  /** Calls that were made once more. */
  retried = 0;

  constructor(
    readonly task: LabelTask,
    readonly unit: string,
    private readonly questions: readonly Question[],
    private readonly form: AnswerForm,
    private readonly options: LabelOptions = {},
  ) {
    this.#scratch = new Float32Array(task.classes);
    // Every call that waits listens to it.
    setMaxListeners(0, this.#stop.signal);
    const { signal } = options;
    const onAbort = () => this.stop(new CancelledError('labelling was cancelled: answers so far are kept'));
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true, signal: this.#stop.signal });
  }

  /** Aborts when nothing more is to be asked. */
  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  get open(): Question[] {
    return this.questions.filter(({ standing }) => standing === 'open');
  }

  /** Ends the work with this error, unless another one was first. */
  stop(error: unknown): void {
    this.#failure ??= { error };
    this.#stop.abort();
  }

  /** Lets go of the caller's signal. */
  end(): void {
    this.#stop.abort();
  }

  get stopped(): boolean {
    return this.#failure !== undefined;
  }

  throwIfStopped(): void {
    if (this.#failure) throw this.#failure.error;
  }

  /** @throws what the work was stopped with, as soon as it is */
  async unlessStopped<T>(promise: Promise<T>): Promise<T> {
    let onStop: () => void = () => undefined;
    const stopped = new Promise<void>((resolve) => {
      onStop = resolve;
      if (this.stopped) resolve();
      else this.#stop.signal.addEventListener('abort', onStop, { once: true });
    });
    try {
      const result = await Promise.race([promise, stopped]);
      this.throwIfStopped();
      return result as T;
    } finally {
      this.#stop.signal.removeEventListener('abort', onStop);
    }
  }

  /** Whether an answer so far was of use. */
  get hasUsable(): boolean {
    return this.#usable > 0;
  }

  /** A teacher that names no class is none the worse for it: its answer is kept and never asked for again. */
  isUsable(raw: RawAnswer): boolean {
    const result = normaliseAnswer(raw, this.#scratch, this.form);
    return result.ok && !isMisnamed(result);
  }

  /** Takes note of whether an answer is of use; said as soon as it is there, so that no further call starts in vain. */
  judge(raw: RawAnswer, isKept = false): void {
    const before = this.#unusable;
    this.#judge(raw);
    if (isKept) this.#keptUnusable += this.#unusable - before;
  }

  #judge(raw: RawAnswer): void {
    const result = normaliseAnswer(raw, this.#scratch, this.form);
    if (!result.ok) this.#complain(result);
    else if (isMisnamed(result)) this.#complain({ fault: 'LABEL', message: result.message });
    else if (result.kind === 'target') this.#usable++;
  }

  /** The image has an answer, which was judged. */
  resolve(question: Question, standing: AnsweredStanding, raw: RawAnswer): void {
    question.raw = raw;
    this.#close(question, standing);
  }

  /** The image's answer for others that wait for it; undefined where it has none. */
  shared({ raw, standing }: Question): SharedAnswer | undefined {
    return raw !== undefined && isAnswered(standing) ? { raw, standing, unit: this.unit } : undefined;
  }

  /** The image stays without an answer. */
  setAside(question: Question, standing: 'charged' | 'failed' | 'unknown', message: string): void {
    this.#complaint ??= { fault: 'NO_ANSWER', message };
    this.#close(question, standing);
  }

  /** The teacher was paid and gave nothing readable. */
  judgeUnreadable(message: string): void {
    this.#complain({ fault: 'NO_ANSWER', message });
  }

  /** The teacher failed on the images; some of them may be tried again. */
  fail(questions: readonly Question[], charged: boolean, message: string): void {
    for (const question of questions) {
      if (++question.failures >= MAX_FAILED_ATTEMPTS) this.setAside(question, charged ? 'charged' : 'failed', message);
    }
  }

  /** Stops the work where the answers so far show that no further one will be of use: a wrong length is always wrong. */
  stopIfUnusable(): void {
    if (this.#usable > 0 || this.#unusable === 0 || !this.#complaint) return;
    const { fault, message } = this.#complaint;
    if (fault !== 'LENGTH' && this.#unusable < MAX_UNUSABLE_ANSWERS) return;
    const code = fault === 'LENGTH' ? 'TEACHER_ANSWER_LENGTH' : 'TEACHER_ANSWERS_UNUSABLE';
    this.stop(new FailedPreconditionError(this.#withAdvice(message), { code }));
  }

  /** @throws BbdError where not a single image got an answer that is of use */
  throwIfUseless(): void {
    if (this.#usable > 0 || !this.#complaint) return;
    const { message } = this.#complaint;
    if (this.#unusable > 0)
      throw new FailedPreconditionError(this.#withAdvice(message), { code: 'TEACHER_ANSWERS_UNUSABLE' });
    throw new UnavailableError(`the teacher answered none of ${this.task.images.count} images: ${message}`, {
      code: 'TEACHER_FAILED',
    });
  }

  #withAdvice(message: string): string {
    if (this.#keptUnusable === 0) return message;
    return `${message} (answers paid for before; mend the teacher's settings to read them for free: bbdistill resume RUN FILE; or, where the teacher itself was mended, pay again: bbdistill resume --reask)`;
  }

  batchOf(questions: readonly Question[]): ImageBatch {
    const { shape, pixels } = this.task.images;
    const size = pixelsPerImage(shape);
    const gathered = new Uint8Array(questions.length * size);
    questions.forEach(({ places }, index) => {
      const place = places[0]!;
      gathered.set(pixels.subarray(place * size, (place + 1) * size), index * size);
    });
    return { count: questions.length, shape, pixels: gathered };
  }

  answers(): AnswerBatch {
    const { classes, images } = this.task;
    const targets = new Float32Array(images.count * classes);
    const answered = new Uint8Array(images.count);
    const provenance: AnswerProvenance = {
      form: describeForm(this.form),
      completed: new Float32Array(images.count),
      dropped: new Float32Array(images.count),
      abstained: new Uint8Array(images.count),
    };
    for (const { places, raw } of this.questions) {
      const result = raw === undefined ? undefined : normaliseAnswer(raw, this.#scratch, this.form);
      if (!result?.ok) continue;
      for (const place of places) {
        if (result.kind === 'abstained') {
          provenance.abstained[place] = 1;
          continue;
        }
        targets.set(this.#scratch, place * classes);
        answered[place] = 1;
        provenance.completed[place] = result.completed;
        provenance.dropped[place] = result.dropped;
      }
    }
    return { count: images.count, classes, targets, answered, provenance };
  }

  /** Each image in exactly one way; an image that is there twice is asked once, the copies share its query. */
  counts(): QueryCounts {
    const counts = noCounts();
    for (const { standing, places } of this.questions) {
      const copies = places.length - 1;
      switch (standing) {
        case 'settled':
        case 'charged':
          counts.settled += 1;
          counts.coalesced += copies;
          break;
        case 'unknown':
          counts.unknown += 1;
          counts.unresolved += copies;
          break;
        case 'open':
          counts.unresolved += places.length;
          break;
        default:
          counts[standing] += places.length;
      }
    }
    for (const { raw, places } of this.questions) {
      const result = raw === undefined ? undefined : normaliseAnswer(raw, this.#scratch, this.form);
      if (!result?.ok) continue;
      if (result.kind === 'abstained') counts.abstained += places.length;
      else {
        if (result.completed > 0) counts.completed += places.length;
        if (result.dropped > 0) counts.dropped += places.length;
      }
    }
    counts.asked = this.task.images.count;
    counts.billed = counts.settled + counts.unknown;
    counts.retried = this.retried;
    return counts;
  }

  /** The answer says nothing that can be used. */
  #complain(complaint: { fault: AnswerFault | 'NO_ANSWER'; message: string }): void {
    this.#unusable++;
    this.#complaint ??= complaint;
  }

  #close(question: Question, standing: Standing): void {
    question.standing = standing;
    this.#done += question.places.length;
    this.options.onProgress?.(this.#done, this.task.images.count);
  }
}

/** Labels that are no class here: one such answer may be right, nothing but such answers is a wrong `answer.labels`. */
function isMisnamed(result: Normalised): result is Extract<Normalised, { kind: 'abstained' }> {
  return result.ok && result.kind === 'abstained' && result.why === 'outside';
}
