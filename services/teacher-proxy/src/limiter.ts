import {
  CancelledError,
  KeyExistsError,
  RevisionMismatchError,
  UnavailableError,
  asBbdError,
  decodeJson,
  encodeJson,
} from '@bbdistill/common';
import type { Clock, Logger, StateStore } from '@bbdistill/common';
import { Lateness, allowanceMs } from './lateness.js';
import { rulesOf } from './limits.js';
import type { LimitRule } from './limits.js';
import { Purse } from './purse.js';
import type { Limits } from './registry.js';
import { CLOCK_SKEW_MS, emptySlots, lapse, surplus, takeable, tidy } from './slot-record.js';
import type { SlotRecord } from './slot-record.js';
import { TurnQueue, urgencyOf } from './turn-queue.js';
import type { Turn } from './turn-queue.js';

/** A replica that shows no life for so long has lost its slots to the others. */
export const SLOT_LEASE_MS = 6_000;
export const SLOT_BEAT_MS = 2_000;
/** How much sooner a replica itself stops to use slots than others take them: the way of a call to the teacher. */
const LEASE_MARGIN_MS = 1_000;
/** How soon news are exchanged again that came up at the end of an exchange. */
const RESYNC_MS = 100;
/** Where there are fewer slots than replicas: how long one keeps them before the next has its turn. */
const TENURE_MS = 2_000;
/** A call whose turn is further away isn't told that it is next: what it holds while it waits, others can't use. */
const NEXT_WITHIN_MS = 5_000;
/** Slots that rest no more go to others who wait where no call has left here for so long: no next one is near. */
const HAND_ON_MS = 200;
/** Unused for so long, slots are given back though nobody waits for them. */
const IDLE_MS = 1_000;
/** Slots of longer windows are leased in parts of the limit: what is leased when a process dies rests a whole window. */
const LONG_WINDOW_MS = 120_000;
const LONG_WINDOW_PARTS = 50;
/** A slot rests this part longer than its window, so that calls that are quicker than the last ones aren't too soon. */
const REST_MARGIN = 0.003;
const MAX_REST_MARGIN_MS = 250;
const BRAKE_FACTOR = 0.7;
/** A call that is turned away once in a while came a moment too soon; twice in so long, the limit is lower than declared. */
const GENTLE_BRAKE_FACTOR = 0.95;
const GENTLE_INTERVAL_MS = 10_000;
const MIN_BRAKE = 0.05;
const BRAKE_INTERVAL_MS = 1_000;
const RELEASE_STEP = 0.05;
const RELEASE_INTERVAL_MS = 5_000;
/** How many runs a replica tells the others of. */
const MAX_RUNS_SHOWN = 16;

/** The right to make one call. */
export interface Permit {
  /** Milliseconds until the call may leave; 0 unless it was granted ahead. To be asked anew after each wait. */
  waitMs(): number;
  /**
   * The first byte is about to leave: from here on the slots count as used.
   * @returns false where this process was stopped for so long that others may use the slots: nothing must be sent
   */
  sent(): boolean;
  /** The teacher has answered, or never will: how late the call was is told from this moment. */
  answered(): void;
  /** The place of the call is free; to be called exactly once. */
  release(): void;
}

/** Why calls wait. */
export interface LimiterState {
  waiting: number;
  inFlight: number;
  /** What is waited for; empty where nothing is. */
  waitsFor: string;
  /** No call starts before that has passed. */
  heldOffForMs: number;
  /** Parts of the declared limits in use, 1 = all. */
  rate: number;
  openCalls: number;
}

/** What a call has to do before it leaves, and may do while it waits. */
export interface Preparation {
  /** What is done once the turn is told takes about so long: the turn is told so much ahead. */
  leadMs?: number;
  /** Called at most once, where the call is the next one and has to wait for the limit; not for what may take long. */
  onNext?: () => void;
}

/** When a call may be made. */
export interface Limiter {
  /**
   * Waits for the turn of a call.
   * @throws CancelledError when the signal aborts first
   * @throws UnavailableError where the turn doesn't come within `queueTimeoutMs`, though the teacher may have asked for
   *   a longer pause: what is left of that is its `retryAfterMs`
   */
  acquire(turn: Turn, signal: AbortSignal, preparation?: Preparation): Promise<Permit>;
  /**
   * The teacher turned a call away: nobody calls for this long, and all go slower from then on.
   * @param what `rate`: the limits are lower than declared; `overload`: fewer calls at once; `hold`: only wait
   */
  throttled(durationMs: number, what: 'rate' | 'overload' | 'hold', reason: string): void;
  state(): LimiterState;
  close(): Promise<void>;
}

export interface SharedLimiterOptions {
  teacher: string;
  limits: Limits;
  state: StateStore;
  clock: Clock;
  /** Names this process and opening among all that ever make calls. */
  holder: string;
  /** Whether no other process can have the store: what earlier ones held lapses at once. */
  soleUser: boolean;
  /** Whether a holder is known to have ended, so that its slots lapse at once. Default: nobody is. */
  isGone?: (holder: string) => boolean;
  /** Calls that this process has open at most, beside what the teacher allows. */
  maxOpenCalls?: number;
  logger: Logger;
}

interface Waiter extends Turn {
  leadMs: number;
  onNext: (() => void) | undefined;
  grant: (permit: Permit) => void;
  fail: (error: unknown) => void;
  deadlineMs: number;
}

/**
 * A teacher's limits, shared by all replicas. A replica leases slots from one record in the state store and uses them by
 * its own monotonic clock: a slot that was used rests for the rule's window, so that whatever the replicas' clocks say,
 * no sliding window ever sees more calls than there are slots. Slots of a replica that shows no life lapse: they come
 * back only when its last call has left every window. Assumes that clocks run at the same speed, and that the wall
 * clocks of replicas differ by less than {@link CLOCK_SKEW_MS} (only where slots of the dead are dated).
 */
export class SharedLimiter implements Limiter {
  readonly #queue = new TurnQueue<Waiter>();
  readonly #purses: Purse[];
  readonly #rules: LimitRule[];
  readonly #key: string;
  readonly #mayBurst: boolean;
  readonly #closing = new AbortController();
  #record: SlotRecord | undefined;
  #revision: number | undefined;
  #hasSeen = false;
  #watching: Promise<void> | undefined;
  #syncing: Promise<void> | undefined;
  #syncWanted = false;
  #validUntilMs = -Infinity;
  #lastBeatMs = -Infinity;
  #tenureFromMs = -Infinity;
  #lastUseMs = -Infinity;
  /** The moment that the last call was planned for, and what it needed of each purse: the next one keeps a distance. */
  #lastPlanned: { atMs: number; needs: number[] } | undefined;
  /** A call that was told its turn ahead and hasn't left yet: one at a time. */
  #ahead: Permit | undefined;
  #heldOff = { untilMs: -Infinity, reason: '', knownId: '', toldId: '' };
  #holdsTold = 0;
  #telling: { durationMs: number; untilMs: number; what: 'rate' | 'overload' | 'hold'; reason: string } | undefined;
  #alarm: { atMs: number; stop: AbortController } | undefined;
  /** Grows when others took this replica for dead: what was held before counts no more. */
  #epoch = 0;
  readonly #lateness = new Lateness();
  #inFlight = 0;
  #waitsFor = '';
  /** Other holders' last signs of life, and when they were seen here. */
  readonly #beats = new Map<string, { beat: number; seenAtMs: number }>();

  constructor(private readonly options: SharedLimiterOptions) {
    this.#rules = rulesOf(options.limits);
    this.#purses = this.#rules.map((rule) => new Purse(rule));
    this.#key = `slots/${options.teacher}`;
    this.#mayBurst = options.limits.burstImages !== undefined;
  }

  async acquire(turn: Turn, signal: AbortSignal, { leadMs = 0, onNext }: Preparation = {}): Promise<Permit> {
    if (signal.aborted || this.#closing.signal.aborted) throw new CancelledError(CANCELLED);
    this.#watching ??= this.#watch();
    return new Promise<Permit>((resolve, reject) => {
      const onAbort = () => {
        if (this.#queue.delete(waiter)) waiter.fail(new CancelledError(CANCELLED));
        this.#pump();
      };
      const done = () => signal.removeEventListener('abort', onAbort);
      const waiter: Waiter = {
        ...turn,
        leadMs,
        onNext,
        deadlineMs: this.#nowMs() + this.options.limits.queueTimeoutMs,
        grant: (permit) => {
          done();
          resolve(permit);
        },
        fail: (error) => {
          done();
          reject(asBbdError(error));
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#queue.push(waiter);
      this.#pump();
    });
  }

  throttled(durationMs: number, what: 'rate' | 'overload' | 'hold', reason: string): void {
    const untilMs = this.#nowMs() + durationMs;
    this.#holdOff(untilMs, reason);
    const told = this.#telling ?? { durationMs, untilMs, what, reason };
    // One answer may say both that calls come too fast and how long to wait: the pause alone would slow nobody down.
    const keepsSlowing = what === 'hold' && told.what !== 'hold';
    this.#telling = {
      what: keepsSlowing ? told.what : what,
      reason: keepsSlowing ? told.reason : reason,
      durationMs: Math.max(told.durationMs, durationMs),
      untilMs: Math.max(told.untilMs, untilMs),
    };
    void this.#sync();
  }

  state(): LimiterState {
    const { rate, openCalls } = this.#record?.brakes ?? { rate: 1, openCalls: 1 };
    return {
      waiting: this.#queue.size,
      inFlight: this.#inFlight,
      waitsFor: this.#queue.size > 0 ? this.#waitsFor : '',
      heldOffForMs: Math.max(0, this.#heldOff.untilMs - this.#nowMs()),
      rate,
      openCalls,
    };
  }

  /** Gives back what rests no more; the rest lapses. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort();
    this.#alarm?.stop.abort();
    for (const waiter of this.#queue.list()) {
      this.#queue.delete(waiter);
      waiter.fail(new CancelledError(CANCELLED));
    }
    await this.#syncing;
    await this.#leave().catch((error: unknown) => {
      this.options.logger.warn({ err: asBbdError(error) }, 'slots could not be given back: they lapse by themselves');
    });
    await this.#watching;
  }

  #nowMs(): number {
    return this.options.clock.monotonicMs();
  }

  #permit(turn: Turn, startAtMs: number): Permit {
    let sentAtMs: number | undefined;
    let hasAnswered = false;
    let released = false;
    const epoch = this.#epoch;
    const rests: { readyAtMs: number; amount: number; rule: LimitRule }[] = [];
    const permit: Permit = {
      waitMs: () => {
        const nowMs = this.#nowMs();
        if (sentAtMs !== undefined || epoch !== this.#epoch) return 0;
        // Looked at anew: a slot rests longer where the call that used it last turns out to have been late.
        const short = this.#purses.filter((purse) => purse.available(nowMs) < 0 && purse.resting.length > 0);
        const readyAtMs = short.length === 0 ? -Infinity : Math.min(...short.map((purse) => purse.nextReadyMs()));
        return Math.max(0, startAtMs - nowMs, readyAtMs - nowMs);
      },
      sent: () => {
        if (sentAtMs !== undefined) return true;
        if (this.#ahead === permit) this.#ahead = undefined;
        if (this.#nowMs() >= this.#validUntilMs || epoch !== this.#epoch) return false;
        sentAtMs = this.#nowMs();
        for (const purse of this.#purses) {
          const { rule } = purse;
          if (rule.windowMs === 0) continue;
          const amount = purse.needOf(turn);
          purse.inUse -= amount;
          const rest = { readyAtMs: sentAtMs + restMs(rule), amount, rule };
          purse.resting.push(rest);
          rests.push(rest);
        }
        return true;
      },
      answered: () => {
        if (hasAnswered || sentAtMs === undefined) return;
        hasAnswered = true;
        const lateness = this.#lateness.note(this.#nowMs() - sentAtMs);
        for (const rest of rests) rest.readyAtMs += allowanceMs(lateness, rest.rule.windowMs);
      },
      release: () => {
        if (released) return;
        released = true;
        permit.answered();
        if (this.#ahead === permit) this.#ahead = undefined;
        this.#inFlight--;
        for (const purse of this.#purses) {
          if (epoch !== this.#epoch) continue;
          if (sentAtMs === undefined || purse.rule.windowMs === 0) purse.inUse -= purse.needOf(turn);
        }
        this.#lastUseMs = this.#nowMs();
        this.#pump();
      },
    };
    return permit;
  }

  /** Lets calls go as long as there are slots; else sees to it that something wakes it up. */
  #pump(): void {
    if (this.#closing.signal.aborted) return;
    for (;;) {
      const nowMs = this.#nowMs();
      this.#failOverdue(nowMs);
      if (this.#hasSlotsToGive(nowMs)) void this.#sync();
      const next = this.#queue.peek();
      if (!next) return this.#rest(nowMs);
      if (this.#heldOff.untilMs > nowMs) {
        this.#waitsFor = this.#heldOff.reason;
        return this.#waitUntil(this.#heldOff.untilMs, nowMs);
      }
      if (this.options.maxOpenCalls !== undefined && this.#inFlight >= this.options.maxOpenCalls) {
        this.#waitsFor = `one of this replica's ${this.options.maxOpenCalls} calls to end`;
        tellNext(next);
        return this.#keepAlive(nowMs);
      }
      if (nowMs >= this.#validUntilMs) {
        this.#waitsFor = 'the state store that the replicas share their limits by';
        void this.#sync();
        return;
      }
      const leadMs = this.#ahead ? 0 : next.leadMs;
      const short = this.#purses.filter(
        (purse) => purse.availableAt(nowMs + leadMs) - this.#owed(purse, nowMs) < purse.needOf(next),
      );
      if (short.length > 0) {
        this.#waitsFor = `the limit ${short.map(({ rule }) => rule.id).join(' and ')}`;
        if (this.#hasNews(nowMs, short)) void this.#sync();
        const readyAtMs = Math.min(...short.map((purse) => purse.nextReadyMs(nowMs + leadMs))) - leadMs;
        if (!Number.isFinite(readyAtMs) || readyAtMs - nowMs <= NEXT_WITHIN_MS) tellNext(next);
        this.#wakeAt(Math.min(readyAtMs, this.#lastBeatMs + SLOT_BEAT_MS));
        return;
      }
      const pacedMs = this.#pacedMs();
      if (pacedMs - leadMs > nowMs) {
        this.#waitsFor = 'its turn: calls are spaced evenly';
        if (pacedMs - nowMs <= NEXT_WITHIN_MS) tellNext(next);
        return this.#waitUntil(pacedMs - leadMs, nowMs);
      }
      this.#grant(next, nowMs);
    }
  }

  /** The slots' even pace: no call leaves before this moment. Nearer where slots came in since the last one left. */
  #pacedMs(): number {
    const last = this.#lastPlanned;
    if (!last || this.#mayBurst) return -Infinity;
    const spacingMs = this.#purses.map(({ rule: { windowMs }, held }, index) =>
      windowMs > 0 && windowMs <= LONG_WINDOW_MS && held > 0 ? (windowMs * last.needs[index]!) / held : 0,
    );
    return last.atMs + Math.max(0, ...spacingMs);
  }

  #grant(waiter: Waiter, nowMs: number): void {
    this.#queue.shift();
    this.#inFlight++;
    this.#lastUseMs = nowMs;
    const pacedMs = this.#pacedMs();
    let plannedMs = Math.max(nowMs, pacedMs);
    for (const purse of this.#purses) {
      const need = purse.needOf(waiter);
      while (purse.availableAt(plannedMs) < need) plannedMs = purse.nextReadyMs(plannedMs);
      purse.inUse += need;
    }
    const needs = this.#purses.map((purse) => purse.needOf(waiter));
    this.#lastPlanned = { atMs: plannedMs, needs };
    // Counted from the planned moment where that is near, so that late timers don't add up.
    const isNear = plannedMs - pacedMs < (this.#pacedMs() - plannedMs) / 2;
    if (isNear) this.#lastPlanned.atMs = pacedMs;
    const permit = this.#permit(waiter, plannedMs);
    if (plannedMs > nowMs) this.#ahead = permit;
    waiter.grant(permit);
  }

  /** Whether the record would change if it was written now. */
  #hasNews(nowMs: number, short: readonly Purse[]): boolean {
    const record = this.#record;
    const me = record?.holders[this.options.holder];
    if (!record || !me || nowMs - this.#lastBeatMs >= SLOT_BEAT_MS) return true;
    const wallMs = this.options.clock.nowMs();
    if (short.some((purse) => this.#wanted(record, purse, nowMs, wallMs) > 0)) return true;
    const { urgency, waiting } = this.#demand();
    return me.urgency !== urgency || String(me.waiting) !== String(waiting);
  }

  /** Nobody waits here. What isn't needed goes to others who wait, and later back. */
  #rest(nowMs: number): void {
    this.#waitsFor = '';
    const record = this.#record;
    const me = record?.holders[this.options.holder];
    if (!me) return;
    const idleUntilMs = this.#lastUseMs + patienceMs(record, this.options.holder);
    if (nowMs < idleUntilMs) return this.#waitUntil(idleUntilMs, nowMs);
    const isLeaving = this.#inFlight === 0 && this.#purses.every((purse) => purse.held === 0);
    if (isLeaving || me.waiting.length > 0 || this.#purses.some((purse) => purse.available(nowMs) > 0)) {
      return void this.#sync();
    }
    // The last slots leave when they have rested.
    this.#waitUntil(Math.min(...this.#purses.map((purse) => purse.nextReadyMs())), nowMs);
  }

  /** The wait may be longer than the lease, or than calls in the queue are willing to wait. */
  #waitUntil(atMs: number, nowMs: number): void {
    this.#keepAlive(nowMs);
    this.#wakeAt(atMs);
  }

  #keepAlive(nowMs: number): void {
    if (nowMs - this.#lastBeatMs >= SLOT_BEAT_MS) void this.#sync();
    else this.#wakeAt(this.#lastBeatMs + SLOT_BEAT_MS);
  }

  #demand(): { waiting: string[]; urgency: number } {
    const turns = this.#queue.list();
    const urgency = Math.min(...turns.map(({ phase }) => urgencyOf(phase)));
    const runs = new Set(turns.filter(({ phase }) => urgencyOf(phase) === urgency).map(({ run }) => run));
    return {
      waiting: [...runs].sort().slice(0, MAX_RUNS_SHOWN),
      urgency: Number.isFinite(urgency) ? urgency : 0,
    };
  }

  /** Slots that can go to others at once. */
  #giveable(record: SlotRecord, purse: Purse, nowMs: number): number {
    const { holder } = this.options;
    const available = Math.max(0, purse.available(nowMs));
    if (this.#queue.size === 0 && nowMs - this.#lastUseMs >= patienceMs(record, holder)) return available;
    return Math.min(available, surplus(record, purse.rule, holder, this.#hasServed(nowMs)));
  }

  /** Slots that go to others as soon as they are ready: no call here takes them any more. */
  #owed({ rule }: Purse, nowMs: number): number {
    return this.#record ? surplus(this.#record, rule, this.options.holder, this.#hasServed(nowMs)) : 0;
  }

  /** Whether others wait for slots that are of no use here: they must not wait for the next beat. */
  #hasSlotsToGive(nowMs: number): boolean {
    return this.#purses.some((purse) => Math.min(purse.available(nowMs), this.#owed(purse, nowMs)) > 0);
  }

  #hasServed(nowMs: number): boolean {
    return nowMs - this.#tenureFromMs >= TENURE_MS;
  }

  /** Exchanges news with the others by one compare-and-set; calls that come meanwhile share the next one. */
  #sync(): Promise<void> {
    this.#syncWanted = true;
    return (this.#syncing ??= this.#syncAll().finally(() => {
      this.#syncing = undefined;
      // What its own last look asked for.
      if (this.#syncWanted) this.#wakeAt(this.#nowMs() + RESYNC_MS);
    }));
  }

  async #syncAll(): Promise<void> {
    // Lets the calls of one turn of the event loop come in together.
    await Promise.resolve();
    while (this.#syncWanted && !this.#closing.signal.aborted) {
      this.#syncWanted = false;
      try {
        await this.#exchange();
      } catch (error) {
        this.options.logger.warn(
          { err: asBbdError(error), teacher: this.options.teacher },
          'the limits can not be shared with other replicas: no call is made',
        );
        // Whether the last write was carried out isn't known: the record tells when it can be read again.
        this.#record = undefined;
        this.#validUntilMs = -Infinity;
        for (const waiter of this.#queue.list()) {
          this.#queue.delete(waiter);
          waiter.fail(asBbdError(error));
        }
        return;
      }
    }
    this.#pump();
  }

  async #exchange(): Promise<void> {
    for (;;) {
      const beganMs = this.#nowMs();
      if (!this.#record) await this.#load();
      const record = structuredClone(this.#record!);
      const told = this.#telling;
      const { given, isPresent } = this.#negotiate(record, beganMs);
      try {
        const value = encodeJson(record);
        const revision =
          this.#revision === undefined
            ? await this.options.state.create(this.#key, value)
            : await this.options.state.update(this.#key, value, this.#revision);
        if (this.#telling === told) this.#telling = undefined;
        this.#see(record, revision);
        const me = record.holders[this.options.holder];
        for (const purse of this.#purses) {
          const before = purse.held;
          purse.held = me?.held[purse.rule.id] ?? 0;
          if (before === 0 && purse.held > 0) this.#tenureFromMs = this.#nowMs();
        }
        this.#lastBeatMs = beganMs;
        this.#validUntilMs = isPresent ? beganMs + SLOT_LEASE_MS - LEASE_MARGIN_MS : -Infinity;
        return;
      } catch (error) {
        if (!(error instanceof RevisionMismatchError || error instanceof KeyExistsError)) throw error;
        this.#record = undefined;
      } finally {
        for (const [purse, amount] of given) purse.leaving -= amount;
      }
    }
  }

  /** Changes the record as this replica would have it. */
  #negotiate(record: SlotRecord, nowMs: number): { given: [Purse, number][]; isPresent: boolean } {
    const { holder } = this.options;
    const wallMs = this.options.clock.nowMs();
    tidy(record, wallMs, (ruleId) => this.#longestRestMs(ruleId));
    this.#bury(record, nowMs, wallMs);
    this.#adjustBrakes(record, wallMs);
    const given: [Purse, number][] = [];
    let me = record.holders[holder];
    if (!me) {
      // Others took this replica for dead: what it had is theirs, and counted against them until it has rested.
      this.#startAfresh();
      if (this.#queue.size === 0) return { given, isPresent: false };
      me = record.holders[holder] = { beat: 0, held: {}, waiting: [], urgency: 0, turn: record.turns++ };
    }
    me.beat++;
    Object.assign(me, this.#demand());
    for (const purse of this.#purses) {
      const { id } = purse.rule;
      const give = this.#giveable(record, purse, nowMs);
      if (give > 0) {
        purse.leaving += give;
        given.push([purse, give]);
        me.held[id] = (me.held[id] ?? 0) - give;
        if (me.held[id] === 0) me.turn = record.turns++;
      } else {
        const take = this.#wanted(record, purse, nowMs, wallMs);
        if (take > 0) me.held[id] = (me.held[id] ?? 0) + take;
      }
    }
    const isNeeded = this.#queue.size > 0 || this.#inFlight > 0 || Object.values(me.held).some((amount) => amount > 0);
    if (!isNeeded) delete record.holders[holder];
    return { given, isPresent: isNeeded };
  }

  #startAfresh(): void {
    if (this.#purses.every(({ held }) => held === 0)) return;
    this.#epoch++;
    for (const purse of this.#purses) {
      purse.held = 0;
      purse.inUse = 0;
      purse.resting.length = 0;
    }
  }

  #wanted(record: SlotRecord, purse: Purse, nowMs: number, wallMs: number): number {
    const { rule } = purse;
    const turns = this.#queue.list();
    if (turns.length === 0) return 0;
    const isLong = rule.windowMs > LONG_WINDOW_MS;
    const needed = turns.reduce((sum, turn) => sum + purse.needOf(turn), 0) - Math.max(0, purse.available(nowMs));
    if (needed <= 0) return 0;
    const part = isLong ? Math.ceil(rule.amount / LONG_WINDOW_PARTS / rule.step) * rule.step : Infinity;
    const limit = Math.min(
      part,
      this.options.maxOpenCalls !== undefined && rule.windowMs === 0
        ? Math.max(0, this.options.maxOpenCalls - purse.held)
        : Infinity,
    );
    // Slots of short windows come back while calls are on their way: more than the moment needs keeps the pace.
    const most = Math.min(limit, takeable(record, rule, this.options.holder, wallMs));
    const held = record.holders[this.options.holder]?.held[rule.id] ?? 0;
    // A part of a step is of no use, except to make a part that is held whole.
    return Math.floor((held + most) / rule.step) > Math.floor(held / rule.step) ? most : 0;
  }

  /** Takes out who has shown no life for the time of a lease, as seen by this process's own clock. */
  #bury(record: SlotRecord, nowMs: number, wallMs: number): void {
    for (const id of Object.keys(record.holders)) {
      if (id === this.options.holder) continue;
      const seen = this.#beats.get(id);
      const hasEnded = this.options.soleUser || this.options.isGone?.(id) === true;
      if (!hasEnded && !(seen && nowMs - seen.seenAtMs > SLOT_LEASE_MS)) continue;
      lapse(record, id, this.#rules, (rule) => {
        // The connections of a process that is gone are gone too; one that only can't be seen may have its calls open.
        if (hasEnded) return wallMs + rule.windowMs;
        return wallMs + (rule.windowMs === 0 ? this.options.limits.timeoutMs : rule.windowMs) + CLOCK_SKEW_MS;
      });
      this.#beats.delete(id);
    }
  }

  /** See {@link tidy}. Another replica's settings may have rules that aren't known here: it looks after their dates. */
  #longestRestMs(ruleId: string): number {
    const rule = this.#rules.find(({ id }) => id === ruleId);
    return rule ? Math.max(this.options.limits.timeoutMs, restMs(rule)) + CLOCK_SKEW_MS : Infinity;
  }

  #adjustBrakes(record: SlotRecord, wallMs: number): void {
    const told = this.#telling;
    const { brakes } = record;
    const sinceMs = wallMs - brakes.changedAtMs;
    if (told) {
      // By this replica's own clock, which has counted every hold so far: dates are wrong once a wall clock was set back.
      if (!record.hold || told.untilMs >= this.#heldOff.untilMs) {
        // Of its own: were it counted on from the last one's, replicas that tell of a hold at the same moment, or after the
        // last one is forgotten, would take the others' for one that they know.
        const id = `${this.options.holder}/${++this.#holdsTold}`;
        const { durationMs, reason } = told;
        record.hold = { id, durationMs, untilMs: wallMs + durationMs, reason };
        this.#heldOff.toldId = id;
      }
      if (told.what === 'hold' || (sinceMs >= 0 && sinceMs < BRAKE_INTERVAL_MS)) return;
      const which = told.what === 'rate' && this.#rules.some(({ windowMs }) => windowMs > 0) ? 'rate' : 'openCalls';
      const isRare = sinceMs >= GENTLE_INTERVAL_MS && brakes[which] === 1;
      brakes[which] = Math.max(MIN_BRAKE, brakes[which] * (isRare ? GENTLE_BRAKE_FACTOR : BRAKE_FACTOR));
      brakes.changedAtMs = wallMs;
    } else if (sinceMs >= RELEASE_INTERVAL_MS && (brakes.rate < 1 || brakes.openCalls < 1)) {
      brakes.rate = Math.min(1, brakes.rate + RELEASE_STEP);
      brakes.openCalls = Math.min(1, brakes.openCalls + RELEASE_STEP);
      brakes.changedAtMs = wallMs;
    }
  }

  async #leave(): Promise<void> {
    const { state, holder, clock, limits } = this.options;
    for (;;) {
      const entry = await state.get(this.#key);
      if (!entry) return;
      const record = decodeJson<SlotRecord>(entry.value);
      const me = record.holders[holder];
      if (!me) return;
      const nowMs = this.#nowMs();
      for (const purse of this.#purses) me.held[purse.rule.id] = purse.held - Math.max(0, purse.available(nowMs));
      lapse(record, holder, this.#rules, (rule) => {
        const purse = this.#purses.find((other) => other.rule === rule)!;
        const lastReadyMs = Math.max(...purse.resting.map(({ readyAtMs }) => readyAtMs), nowMs);
        return (
          clock.nowMs() +
          (purse.inUse > 0 ? Math.max(limits.timeoutMs, rule.windowMs) : lastReadyMs - nowMs) +
          CLOCK_SKEW_MS
        );
      });
      try {
        await state.update(this.#key, encodeJson(record), entry.revision);
        return;
      } catch (error) {
        if (!(error instanceof RevisionMismatchError)) throw error;
      }
    }
  }

  async #load(): Promise<void> {
    const entry = await this.options.state.get(this.#key);
    this.#revision = undefined;
    this.#see(entry ? decodeJson<SlotRecord>(entry.value) : emptySlots(), entry?.revision);
    const me = this.#record!.holders[this.options.holder];
    if (!me) return this.#startAfresh();
    for (const purse of this.#purses) purse.held = me.held[purse.rule.id] ?? 0;
  }

  /** Takes a newer record for the truth. */
  #see(record: SlotRecord, revision: number | undefined): void {
    if (this.#record && revision !== undefined && this.#revision !== undefined && revision < this.#revision) return;
    const isFirst = !this.#hasSeen;
    this.#hasSeen = true;
    this.#record = record;
    this.#revision = revision;
    const nowMs = this.#nowMs();
    for (const [id, { beat }] of Object.entries(record.holders)) {
      if (this.#beats.get(id)?.beat !== beat) this.#beats.set(id, { beat, seenAtMs: nowMs });
    }
    for (const id of [...this.#beats.keys()]) if (!record.holders[id]) this.#beats.delete(id);
    const { hold } = record;
    if (!hold || hold.id === this.#heldOff.knownId) return;
    this.#heldOff.knownId = hold.id;
    // Its own is counted from when the teacher asked for it.
    if (hold.id === this.#heldOff.toldId) return;
    // A hold that began while this replica looked on is counted by its own clock; an older one by the date.
    const leftMs = isFirst ? Math.min(hold.durationMs, hold.untilMs - this.options.clock.nowMs()) : hold.durationMs;
    this.#holdOff(nowMs + leftMs, hold.reason);
  }

  async #watch(): Promise<void> {
    const { state, logger } = this.options;
    try {
      for await (const change of state.watchKey(this.#key, this.#closing.signal)) {
        if (change.type !== 'put') continue;
        if (this.#revision !== undefined && change.entry.revision <= this.#revision) continue;
        this.#see(decodeJson<SlotRecord>(change.entry.value), change.entry.revision);
        this.#pump();
      }
    } catch (error) {
      // Beats go on without it: news come with each of them.
      if (!this.#closing.signal.aborted) {
        logger.warn(
          { err: asBbdError(error) },
          'the shared limits can not be watched: they are looked at now and then',
        );
      }
    }
  }

  #holdOff(untilMs: number, reason: string): void {
    if (untilMs <= this.#heldOff.untilMs) return;
    this.#heldOff.untilMs = untilMs;
    this.#heldOff.reason = reason;
  }

  #failOverdue(nowMs: number): void {
    const heldOffForMs = Math.ceil(this.#heldOff.untilMs - nowMs);
    const isHeldOff = heldOffForMs > 0;
    for (const waiter of this.#queue.list()) {
      if (waiter.deadlineMs > nowMs) continue;
      this.#queue.delete(waiter);
      const why = isHeldOff
        ? `all calls are held off for another ${heldOffForMs} ms (${this.#heldOff.reason})`
        : `it waited for ${this.#waitsFor}`;
      const message = `no turn for a call to teacher "${this.options.teacher}" within ${this.options.limits.queueTimeoutMs} ms: ${why}`;
      waiter.fail(
        new UnavailableError(message, {
          code: 'TEACHER_QUEUE_TIMEOUT',
          ...(isHeldOff && { retryAfterMs: heldOffForMs }),
        }),
      );
    }
  }

  #wakeAt(atMs: number): void {
    if (!Number.isFinite(atMs) || this.#closing.signal.aborted) return;
    if (this.#alarm && this.#alarm.atMs <= atMs) return;
    this.#alarm?.stop.abort();
    const stop = new AbortController();
    const alarm = { atMs, stop };
    this.#alarm = alarm;
    void this.options.clock.sleep(Math.max(0, atMs - this.#nowMs()), stop.signal).then(
      () => {
        if (this.#alarm === alarm) this.#alarm = undefined;
        this.#pump();
      },
      () => undefined,
    );
  }
}

function tellNext(waiter: Waiter): void {
  const { onNext } = waiter;
  waiter.onNext = undefined;
  onNext?.();
}

/** For how long slots are kept that no call here waits for. */
function patienceMs(record: SlotRecord, holder: string): number {
  const isWanted = Object.entries(record.holders).some(([id, { waiting }]) => id !== holder && waiting.length > 0);
  return isWanted ? HAND_ON_MS : IDLE_MS;
}

const CANCELLED = 'cancelled while waiting for the limit of the teacher';

const restMs = ({ windowMs }: LimitRule) => windowMs + Math.min(MAX_REST_MARGIN_MS, windowMs * REST_MARGIN);
