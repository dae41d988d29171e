import { setImmediate } from 'node:timers/promises';
import {
  FailedPreconditionError,
  InvalidArgumentError,
  UnavailableError,
  asBbdError,
  hashOf,
  sha256Hex,
} from '@bbdistill/common';
import type { Clock, ImageBatch, Logger, RandomStream } from '@bbdistill/common';
import { CircuitBreaker } from './breaker.js';
import type { Leave } from './breaker.js';
import { ClaimLostError } from './claim-lost.js';
import type { Ledger } from './budget.js';
import type { ReserveRequest, Settlement } from './ledger-record.js';
import { answerKeys } from './cache.js';
import type { AnswerCache, AnswerKey } from './cache.js';
import type { CallLog } from './calls.js';
import type { Claims } from './claims.js';
import type { Coalescer, SharedAnswer } from './coalescer.js';
import type { Limiter, Permit } from './limiter.js';
import { imagesPerCallWithin } from './limits.js';
import { Lead } from './lead.js';
import { LimitUse, countImages, measuredCall, measuredStore, measuredWait } from './metrics.js';
import { OpenBudgets } from './open-budgets.js';
import type { TeacherConfig } from './registry.js';
import {
  BACKOFF_BASE_MS,
  MAX_LOST_ATTEMPTS,
  MAX_THROTTLED_ATTEMPTS,
  MAX_UNREACHABLE_ATTEMPTS,
  backoffMs,
} from './retry.js';
import { queryWithin, sortAnswers } from './outcome.js';
import { Session } from './session.js';
import type { Labelled, LabelOptions, LabelTask, Question } from './session.js';
import type { AnsweredStanding } from './standing.js';
import type { QueryOutcome, RawAnswer, Teacher } from './teacher.js';
import { noCounts } from './usage.js';
import type { QueryCounts, UsageBook } from './usage.js';

/** How soon a budget that other processes hold open is looked at again. */
const BUDGET_POLL_MS = 1000;
/**
 * While calls are in flight, as many again have their record written and wait for their turn, or at least so many: those
 * that have just ended are still being settled.
 */
const MIN_CALLS_AHEAD = 4;
/** How soon that is written again which the store didn't take. */
const OWED_RETRY_MS = 1000;
/** How soon the cache is looked into again for answers that another replica waits for. */
const CLAIM_POLL_MS = 200;
/** What being turned away says of the limits. A quota that is used up and a model that loads say nothing of the rate. */
const SLOWER_AFTER = { rate: 'rate', overloaded: 'overload', quota: 'hold', loading: 'hold' } as const;
const STOOD_STILL: QueryOutcome = {
  kind: 'unreachable',
  message: 'this process stood still and may have been replaced',
};
const RUN_PATTERN = /^[\w=.-]{1,128}$/;

export interface LabellerOptions {
  config: TeacherConfig;
  teacher: Teacher;
  cache: AnswerCache;
  ledger: Ledger;
  calls: CallLog;
  usage: UsageBook;
  limiter: Limiter;
  coalescer: Coalescer;
  /** Absent where no other process can ask this teacher through the same store. */
  claims?: Claims;
  clock: Clock;
  random: RandomStream;
  /** Names this process among all that ever make calls. */
  holder: string;
  logger: Logger;
}

const stopping = () => new UnavailableError('the teacher-proxy is stopping: answers so far are kept');

interface Call {
  teacher: string;
  unit: string;
  callId: string;
  /** Of its record. */
  revision?: number | undefined;
}

/** A call whose turn it is. */
interface Turn {
  permit: Permit;
  leave: Leave;
  /** Images that the budget allows it to ask about. */
  granted: number;
}

/** The way of an image to the teacher: dedupe → cache → coalesce → wait → reserve and dispatch → call → store → settle. */
export class Labeller {
  #calls = 0;
  /** For those who watch: how near the limit and the budgets are. */
  readonly limitUse: LimitUse;
  readonly budgets: OpenBudgets;
  readonly breaker: CircuitBreaker;
  readonly #lead = new Lead();
  /**
   * A call that has given up its place is being stored: one at a time. What a process can lose when it is killed are the
   * calls that have a place, and this one.
   */
  #isStoring = false;
  /** Grows when others took this process for dead, or it can't give up what it has claimed: it goes on as another holder. */
  #generation = 0;
  /** Calls that are lost and claims that are given up, where the store was away. */
  readonly #owed: (() => Promise<unknown>)[] = [];
  #paying: Promise<void> | undefined;
  readonly #closing = new AbortController();
  /** Work under way, until its calls are settled: also where nobody waits for its answers any more. */
  readonly #working = new Map<Session, Promise<Labelled>>();
  #isClosed = false;
  /** Images that another replica asked about when this one wanted to. */
  readonly #awaited = new WeakSet<Question>();

  constructor(private readonly options: LabellerOptions) {
    this.limitUse = new LimitUse(options.config.limits, options.clock);
    this.budgets = new OpenBudgets(options.ledger);
    this.breaker = new CircuitBreaker(options.clock, (coolDownMs, reason) => {
      options.logger.warn({ teacher: options.config.name, reason }, 'no calls are made for a while');
      options.limiter.throttled(coolDownMs, 'overload', reason);
    });
  }

  /**
   * Labels the images. An image that has an answer costs nothing.
   * @returns one row per image; a row is unanswered where the teacher failed on the image
   * @throws BudgetExhaustedError, UnavailableError, FailedPreconditionError (the teacher refuses, or its answers
   * can't be used), CancelledError; what was answered before is kept
   */
  async label(task: LabelTask, options: LabelOptions = {}): Promise<Labelled> {
    if (!RUN_PATTERN.test(task.run)) {
      throw new InvalidArgumentError(`"${task.run}" can't be a run's id: use 1 to 128 letters, digits and -_=.`);
    }
    const { questions, unit } = this.#questions(task);
    const session = new Session(task, unit, questions, this.options.teacher.answer, options);
    if (this.#isClosed) session.stop(stopping());
    const working = this.#work(session);
    this.#working.set(session, working);
    try {
      return await working;
    } finally {
      this.#working.delete(session);
    }
  }

  async #work(session: Session): Promise<Labelled> {
    const { task, unit } = session;
    const { usage, config } = this.options;
    const record = { teacher: config.name, run: task.run, phase: task.phase, unit };
    const leave = this.budgets.enter(task.run, task.budget);
    let counts: QueryCounts;
    try {
      await this.#writeOwed();
      await this.#answerAll(session, () =>
        usage.write({ ...record, open: true, counts: { ...noCounts(), asked: task.images.count } }),
      );
      session.throwIfUseless();
    } finally {
      leave();
      session.end();
      if (session.open.length > 0) await this.#recallLosses(session);
      counts = session.counts();
      await usage.write({ ...record, open: false, counts });
      countImages(config.name, task.phase, counts);
    }
    return { answers: session.answers(), counts };
  }

  /** Answers from the cache only; spends nothing. */
  async lookUp(images: ImageBatch, classes: number): Promise<Labelled> {
    const task: LabelTask = { run: 'look-up', phase: 'evaluation', budget: { images: 0 }, classes, images };
    const { questions, unit } = this.#questions(task);
    const session = new Session(task, unit, questions, this.options.teacher.answer);
    await this.#readCache(session, questions);
    return { answers: session.answers(), counts: session.counts() };
  }

  /** Keys of the distinct images, in hexadecimal. */
  distinctKeys(images: ImageBatch): Map<string, AnswerKey> {
    return new Map(this.#keys(images).map((key) => [key.toString('hex'), key]));
  }

  #keys(images: ImageBatch): AnswerKey[] {
    const { teacher } = this.options;
    return answerKeys(teacher.canonicalRequests(images), images.count, teacher.cacheIdentity);
  }

  #questions(task: LabelTask): { questions: Question[]; unit: string } {
    const byKey = new Map<string, Question>();
    this.#keys(task.images).forEach((key, place) => {
      const hex = key.toString('hex');
      const known = byKey.get(hex);
      if (known) known.places.push(place);
      else byKey.set(hex, { key, hex, places: [place], standing: 'open', losses: 0, failures: 0 });
    });
    const questions = [...byKey.values()];
    const copies = questions.flatMap(({ places }, index) => (places.length > 1 ? [[index, ...places]] : []));
    const keys = sha256Hex(Buffer.concat(questions.map(({ key }) => key)));
    const unit = hashOf([task.run, task.phase, keys, copies]);
    return { questions, unit };
  }

  /** @param begin told before the first image is asked about */
  async #answerAll(session: Session, begin: () => Promise<void>): Promise<void> {
    const { coalescer } = this.options;
    let begun: Promise<void> | undefined;
    for (;;) {
      session.throwIfStopped();
      await this.#readCache(session, session.open);
      session.stopIfUnusable();
      session.throwIfStopped();
      // No await between looking and claiming: two tasks can't both believe that an image is theirs to ask.
      const mine: Question[] = [];
      const others: Promise<void>[] = [];
      for (const question of session.open) {
        const answer = coalescer.waitFor(question.hex);
        if (answer) others.push(answer.then((shared) => shared && this.#share(session, question, shared)));
        else {
          coalescer.claim(question.hex);
          mine.push(question);
        }
      }
      if (mine.length === 0 && others.length === 0) return;
      const asking = (begun ??= begin())
        .then(() => this.#askUnclaimed(session, mine))
        .finally(() => {
          for (const question of mine) coalescer.settle(question.hex, session.shared(question));
        });
      try {
        await Promise.all([asking, session.unlessStopped(Promise.all(others))]);
      } finally {
        await asking.catch(() => undefined);
      }
    }
  }

  /**
   * Takes the answers that are known. Where all of them are of no use as the settings read them, the teacher may have
   * been mended since: on the task's word its images stay open and are asked again. Settings that are mended make the
   * same answers useful.
   */
  async #readCache(session: Session, questions: readonly Question[], fresh = false): Promise<void> {
    const keys = questions.map(({ key }) => key);
    const found = await this.options.cache.getMany(keys, fresh);
    const isUseful = () => session.hasUsable || found.some((entry) => entry && session.isUsable(entry.raw));
    if (session.task.reask && !isUseful()) return;
    found.forEach((entry, index) => {
      if (!entry) return;
      // Paid for by this very work, in a delivery that didn't reach its end.
      const question = questions[index]!;
      const standing = entry.unit === session.unit ? 'settled' : this.#awaited.has(question) ? 'coalesced' : 'cached';
      this.#take(session, question, standing, entry.raw);
    });
  }

  #take(session: Session, question: Question, standing: AnsweredStanding, raw: RawAnswer): void {
    session.judge(raw, standing !== 'coalesced');
    session.resolve(question, standing, raw);
  }

  /** An answer that was waited for: where the same work was done twice at once, it stands in both as in the first. */
  #share(session: Session, question: Question, { raw, standing, unit }: SharedAnswer): void {
    session.judge(raw);
    session.resolve(question, unit === session.unit ? standing : 'coalesced', raw);
  }

  /** Asks about the images that no other replica asks about; the others stay open until those have their answers. */
  async #askUnclaimed(session: Session, questions: readonly Question[]): Promise<void> {
    if (questions.length === 0) return;
    const { ledger, claims, clock } = this.options;
    const holder = this.#holder;
    const keys = questions.map(({ key }) => key);
    try {
      await ledger.join(holder);
      try {
        let mine = questions;
        if (claims) {
          const taken = await claims.take(holder, keys);
          questions.forEach((question, index) => taken[index] || this.#awaited.add(question));
          mine = questions.filter((_, index) => taken[index]);
          // Somebody may have asked, stored and let go between our look into the cache and the claim.
          await this.#readCache(session, mine, true);
          mine = mine.filter(({ standing }) => standing === 'open');
          if (mine.length === 0 && session.open.length > 0) await clock.sleep(CLAIM_POLL_MS, session.signal);
        }
        await this.#askAll(session, holder, mine);
      } finally {
        await claims?.release(holder, keys).catch((error: unknown) => {
          this.options.logger.warn({ err: asBbdError(error) }, 'claims on images could not be given back');
          // Others wait for them as long as their holder lives. New ones are made under another name: those stay.
          this.#leaveName(holder);
          this.#oweWrite(() => claims.release(holder, keys));
        });
        ledger.leave(holder);
      }
    } catch (error) {
      if (!(error instanceof ClaimLostError)) throw error;
      this.options.logger.warn({ err: error }, 'this process stood still; it looks anew at what is left to ask');
      this.#leaveName(holder);
    }
  }

  #leaveName(holder: string): void {
    if (holder === this.#holder) this.#generation++;
  }

  get #holder(): string {
    return this.#generation === 0 ? this.options.holder : `${this.options.holder}.g${this.#generation}`;
  }

  /** Keeps calls in flight until each image is settled or something ends the work. */
  async #askAll(session: Session, holder: string, questions: readonly Question[]): Promise<void> {
    const { concurrency } = this.options.config.limits;
    const imagesPerCall = this.#imagesPerCall(session.task.images);
    const batches: Question[][] = [];
    for (let at = 0; at < questions.length; at += imagesPerCall) batches.push(questions.slice(at, at + imagesPerCall));
    let claimLost: ClaimLostError | undefined;
    const atOnce = concurrency + Math.max(concurrency, MIN_CALLS_AHEAD);
    const workers = Array.from({ length: Math.min(atOnce, batches.length) }, async () => {
      for (let batch = batches.shift(); batch && !session.stopped && !claimLost; batch = batches.shift()) {
        await this.#ask(session, holder, batch).catch((error: unknown) => {
          if (error instanceof ClaimLostError) claimLost = error;
          else session.stop(error);
        });
      }
    });
    await Promise.all(workers);
    session.throwIfStopped();
    if (claimLost) throw claimLost;
  }

  #imagesPerCall(images: ImageBatch): number {
    const { teacher, config } = this.options;
    const { bytesPerImage } = teacher.canonicalRequests({
      ...images,
      count: 1,
      pixels: images.pixels.subarray(0, images.pixels.length / images.count),
    });
    return imagesPerCallWithin(config.limits, bytesPerImage, config.price.perCallMicros > 0);
  }

  /** Asks about the images of one batch until each has an outcome. */
  async #ask(session: Session, holder: string, batch: Question[]): Promise<void> {
    let attempts = 0;
    let todo = batch;
    while (todo.length > 0) {
      session.throwIfStopped();
      const { asked, outcome } = await this.#call(session, holder, todo);
      const rest = todo.slice(asked.length);
      const again = asked.filter(({ standing }) => standing === 'open');
      if (again.length > 0) {
        session.retried++;
        await this.#waitBeforeRetry(session, outcome, ++attempts);
      } else {
        attempts = 0;
      }
      todo = [...again, ...rest];
    }
  }

  /** One call with everything around it that makes it safe to pay for. */
  async #call(
    session: Session,
    holder: string,
    wanted: Question[],
  ): Promise<{ asked: Question[]; outcome: QueryOutcome }> {
    const { calls, config, teacher, clock } = this.options;
    const call: Call = { teacher: config.name, unit: session.unit, callId: `${this.options.holder}.${++this.#calls}` };
    const written = calls.write({ ...call, state: 'asked', keys: wanted.map(({ hex }) => hex) });
    // Told where it is awaited.
    written.catch(() => undefined);
    let turn: Turn;
    try {
      turn = await this.#turn(session, holder, call, wanted.length, written);
    } catch (error) {
      await this.#giveBack(call, written);
      throw error;
    }
    const { permit, leave, granted } = turn;
    const asked = wanted.slice(0, granted);
    let outcome: QueryOutcome;
    let holdsPlace = true;
    const freePlace = () => {
      if (holdsPlace) permit.release();
      holdsPlace = false;
    };
    try {
      const images = session.batchOf(asked);
      const query = () => queryWithin(config, teacher, images, clock);
      outcome = permit.sent()
        ? await measuredCall(config.name, asked.length, clock, this.limitUse, query)
        : STOOD_STILL;
      permit.answered();
      // Before the place of the call is free: the next call in line must not start in vain.
      this.breaker.note(leave, outcome === STOOD_STILL ? undefined : outcome);
      this.#judge(session, outcome);
      const mustBeKept = outcome.kind === 'answered';
      let isFirst = mustBeKept && !this.#isStoring;
      if (isFirst) this.#isStoring = true;
      const onStored = () => {
        freePlace();
        if (isFirst) this.#isStoring = isFirst = false;
      };
      try {
        if (isFirst || !mustBeKept) {
          freePlace();
          // The next call in line leaves first: it takes no time of its own, and to store takes the disk's.
          await setImmediate();
        }
        await this.#settle(session, call, asked, outcome, onStored);
      } finally {
        onStored();
      }
    } finally {
      freePlace();
    }
    return { asked, outcome };
  }

  /**
   * Waits for a call's turn, and leaves it where the next thing to do is to send it: in the ledger as dispatched.
   * @throws BudgetExhaustedError, ClaimLostError, CancelledError, UnavailableError; nothing was sent then
   */
  async #turn(
    session: Session,
    holder: string,
    call: Call,
    images: number,
    written: Promise<number | undefined>,
  ): Promise<Turn> {
    const { ledger, config, limiter, clock } = this.options;
    const { run, phase, budget } = session.task;
    const reservation = { callId: call.callId, run, phase, unit: session.unit, holder, images, budget };
    // The queue for the limit may be long: whoever has nothing left to spend hears of it before.
    let granted = ledger.seemsSpent(run, budget) ? await this.#reserve(session, reservation) : 0;
    for (;;) {
      const leave = await this.breaker.pass(session.signal);
      let permit: Permit | undefined;
      let mayLeave: boolean;
      try {
        let reserving: Promise<number> | undefined;
        const onNext = () => {
          // Where what is left to do then is no write but a mark. Else both are one write, when the turn comes.
          if (granted > 0 || !ledger.marksDispatch) return;
          reserving = ledger.reserve(reservation);
          // Told where it is awaited.
          reserving.catch(() => undefined);
        };
        permit = await measuredWait(config.name, clock, () =>
          limiter.acquire({ images, run, phase }, session.signal, { leadMs: this.#lead.ms, onNext }),
        );
        session.throwIfStopped();
        const beganMs = clock.monotonicMs();
        call.revision = await written;
        granted ||= (await reserving) ?? 0;
        // Others may have failed while it was in the queue, and this one would as well.
        mayLeave = this.breaker.holds(leave);
        if (mayLeave && granted > 0) await ledger.dispatch(call.callId);
        else if (mayLeave) granted = await ledger.reserve({ ...reservation, dispatched: true });
        if (mayLeave && granted > 0) {
          this.#lead.note(clock.monotonicMs() - beganMs);
          for (let waitMs = permit.waitMs(); waitMs > 0; waitMs = permit.waitMs()) {
            await clock.sleep(waitMs, session.signal);
          }
          // Frozen in between for so long that others may have taken over: say once more that the call goes out.
          while (!ledger.isAlive(holder)) await ledger.dispatch(call.callId);
          // Cancelled or refused meanwhile: what hasn't left yet need not be paid.
          session.throwIfStopped();
          return { permit, leave, granted };
        }
      } catch (error) {
        permit?.release();
        this.breaker.note(leave, undefined);
        throw error;
      }
      permit.release();
      this.breaker.note(leave, undefined);
      // It had leave, so it was the budget that it lacked.
      if (mayLeave) granted = await this.#reserve(session, reservation);
    }
  }

  /** Waits while calls under way hold the rest of the budget: they may turn out not to have been charged. */
  async #reserve(session: Session, reservation: ReserveRequest): Promise<number> {
    const { ledger, clock } = this.options;
    for (;;) {
      session.throwIfStopped();
      const changed = ledger.changed();
      const granted = await ledger.reserve(reservation);
      if (granted > 0) return granted;
      const poll = new AbortController();
      await session.unlessStopped(
        Promise.race([changed, clock.sleep(BUDGET_POLL_MS, poll.signal).catch(() => undefined)]),
      );
      poll.abort();
    }
  }

  async #giveBack(call: Call, written: Promise<number | undefined>): Promise<void> {
    try {
      const revision = await written.catch(() => undefined);
      const isMine = await this.options.ledger.withdraw(call.callId);
      await this.#removeRecord({ ...call, revision }, isMine);
    } catch (error) {
      // The reservation stays until recovery finds it; nothing was sent.
      this.options.logger.warn({ err: error, callId: call.callId }, 'a reservation could not be given back');
    }
  }

  /**
   * @param hasEnded by us: others who just noted its answers as lost, to end it themselves, never will. Else what they
   *   noted stays.
   */
  async #removeRecord(call: Call, hasEnded: boolean): Promise<void> {
    const { calls } = this.options;
    if (!(await calls.remove(call, call.revision)) && hasEnded) await calls.remove(call);
  }

  /** What an answer means for the calls to come, whoever makes them. */
  #judge(session: Session, outcome: QueryOutcome): void {
    if (outcome.kind === 'refused') {
      const message = `teacher "${this.options.config.name}" refuses: ${outcome.message}`;
      const code = outcome.code.startsWith('TEACHER_') ? outcome.code : 'TEACHER_REFUSED';
      session.stop(new FailedPreconditionError(message, { code }));
    }
    if (outcome.kind === 'throttled') {
      const { reason, message, retryAfterMs = BACKOFF_BASE_MS } = outcome;
      this.options.limiter.throttled(retryAfterMs, SLOWER_AFTER[reason], message);
    }
    for (const hint of ('limits' in outcome && outcome.limits) || []) {
      if (hint.remaining !== 0 || hint.resetMs === undefined) continue;
      this.options.limiter.throttled(hint.resetMs, 'hold', `${hint.source} says that nothing is left`);
    }
    if (outcome.kind !== 'answered') return;
    for (const answer of outcome.answers) {
      if (answer.ok) session.judge(answer.raw);
      else if (!answer.retryable) session.judgeUnreadable(answer.message);
    }
    session.stopIfUnusable();
  }

  /**
   * Stores, then settles: an answer is durable before its query counts as answered.
   * @param onStored told as soon as the end of this process would lose none of the answers
   */
  async #settle(
    session: Session,
    call: Call,
    asked: Question[],
    outcome: QueryOutcome,
    onStored: () => void,
  ): Promise<void> {
    const { ledger, cache, config, clock, logger } = this.options;
    const { billsFailures } = config.price;
    const images = asked.length;
    const end = async (settlement: Partial<Settlement>) => {
      const nothing = { settled: 0, unknown: 0, failed: 0, retried: false, charged: false };
      // Else others bring it to its end, who need its record for that.
      if (await ledger.settle(call.callId, { ...nothing, ...settlement })) await this.#removeRecord(call, true);
    };
    switch (outcome.kind) {
      case 'answered': {
        const { entries, failed, standings } = sortAnswers(session, call, asked, outcome.answers, billsFailures);
        let isStored = false;
        const store = async () => {
          try {
            await cache.putMany(entries);
          } catch (error) {
            // Paid for and not kept: spent, and shown as such.
            await this.#lose(call, asked, false).catch(() => undefined);
            throw error;
          }
          isStored = true;
          onStored();
          await end({ settled: images - failed, failed, charged: true });
        };
        const onLate = (sinceMs: number) =>
          logger.warn(
            { callId: call.callId, images, sinceMs, isStored },
            'answers still wait to be stored and settled',
          );
        await measuredStore(config.name, clock, onLate, store);
        for (const apply of standings) apply();
        return;
      }
      case 'lost': {
        for (const question of asked) {
          if (++question.losses >= MAX_LOST_ATTEMPTS) session.setAside(question, 'unknown', outcome.message);
        }
        logger.warn({ callId: call.callId, images, reason: outcome.message }, 'the answers of a call are lost');
        await this.#lose(
          call,
          asked,
          asked.some(({ standing }) => standing === 'open'),
        );
        return;
      }
      case 'failed':
      case 'refused': {
        if (outcome.kind === 'refused' && outcome.sent === false) {
          await end({});
          return;
        }
        const counted = billsFailures ? { settled: images } : { failed: images };
        const retried = outcome.kind === 'failed';
        await end({ ...counted, retried, charged: billsFailures });
        if (outcome.kind === 'failed') session.fail(asked, billsFailures, outcome.message);
        return;
      }
      case 'throttled':
      case 'unreachable':
        await end({ retried: true });
    }
  }

  /**
   * The answers of a call are lost: which images that are, then that they are spent. Never the other way round: until
   * then the call stays open, and holds what it may have cost, so that whoever recovers it can still name them.
   */
  async #lose(call: Call, asked: readonly Question[], retried: boolean): Promise<void> {
    const keys = asked.map(({ hex }) => hex);
    const enter = async () => {
      await this.options.calls.markUnknown(call, keys);
      const lost = { settled: 0, unknown: asked.length, failed: 0, retried, charged: true };
      await this.options.ledger.settle(call.callId, lost);
    };
    try {
      await enter();
    } catch (error) {
      this.#oweWrite(enter);
      throw error;
    }
  }

  /** To be written as soon as the store is back, also while no work comes that would. */
  #oweWrite(write: () => Promise<unknown>): void {
    this.#owed.push(write);
    const { clock } = this.options;
    const untilWritten = async () => {
      while (this.#owed.length > 0) {
        await clock.sleep(OWED_RETRY_MS, this.#closing.signal);
        await this.#writeOwed();
      }
    };
    this.#paying ??= untilWritten()
      // Closed: whoever recovers this process's calls and claims makes up for it.
      .catch(() => undefined)
      .finally(() => (this.#paying = undefined));
  }

  async #writeOwed(): Promise<void> {
    for (const write of this.#owed.splice(0)) await write().catch(() => this.#oweWrite(write));
  }

  /** Nothing more is asked: what is under way is waited for and settled, then nothing that is owed is written any more. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const session of this.#working.keys()) session.stop(stopping());
    await Promise.allSettled(this.#working.values());
    this.#closing.abort();
    await this.#paying;
  }

  async #waitBeforeRetry(session: Session, outcome: QueryOutcome, attempts: number): Promise<void> {
    const { clock, random, limiter, config } = this.options;
    const waitMs = backoffMs(attempts, random);
    const retryAfterMs = 'retryAfterMs' in outcome ? outcome.retryAfterMs : undefined;
    if (outcome.kind === 'throttled') {
      if (attempts >= MAX_THROTTLED_ATTEMPTS) {
        throw new UnavailableError(`teacher "${config.name}" turned ${attempts} calls away: ${outcome.message}`, {
          code: 'TEACHER_THROTTLED',
          ...(retryAfterMs !== undefined && { retryAfterMs }),
        });
      }
      limiter.throttled(Math.max(waitMs, retryAfterMs ?? 0), 'hold', outcome.message);
    }
    const { isHopeless } = this.breaker;
    if (outcome.kind === 'unreachable' && (attempts >= MAX_UNREACHABLE_ATTEMPTS || isHopeless)) {
      throw new UnavailableError(
        `teacher "${config.name}" can't be reached: ${outcome.message}; start it, then resume (nothing was charged)`,
        { code: 'TEACHER_UNREACHABLE', cause: outcome.cause },
      );
    }
    if (outcome.kind === 'failed' && isHopeless) {
      throw new UnavailableError(
        `teacher "${config.name}" fails call after call: ${outcome.message}; resume once it is mended`,
        { code: 'TEACHER_FAILED' },
      );
    }
    await clock.sleep(Math.max(waitMs, retryAfterMs ?? 0), session.signal);
  }

  /** Images that this work lost in an earlier delivery and that are still unanswered are spent, not merely open. */
  async #recallLosses(session: Session): Promise<void> {
    const open = new Map(session.open.map((question) => [question.hex, question]));
    for await (const record of this.options.calls.list(this.options.config.name, session.unit)) {
      if (record.state !== 'unknown') continue;
      for (const hex of record.keys) {
        const question = open.get(hex);
        if (question) question.standing = 'unknown';
      }
    }
  }
}
