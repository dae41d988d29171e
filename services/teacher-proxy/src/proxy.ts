import { asBbdError, canonicalJson, observe, pixelsPerImage } from '@bbdistill/common';
import type { Clock, ImageBatch, ImageShape, Logger, ProcessMarks, RandomStream, StateStore } from '@bbdistill/common';
import type { Environment } from './adapters/declared.js';
import { openTeacher } from './adapters/open-teacher.js';
import type { Left } from './allowance.js';
import { Ledger } from './budget.js';
import type { AnswerCache } from './cache.js';
import { CallLog } from './calls.js';
import { Claims } from './claims.js';
import { Coalescer } from './coalescer.js';
import { Labeller } from './label.js';
import { SharedLimiter } from './limiter.js';
import { showImages } from './metrics.js';
import type { Limiter } from './limiter.js';
import { recoverOpenCalls } from './recovery.js';
import { TeacherRegistry } from './registry.js';
import type { TeacherConfig } from './registry.js';
import type { Labelled, LabelOptions, LabelTask } from './session.js';
import type { Teacher, TeacherFacts } from './teacher.js';
import { UsageBook, usageLines } from './usage.js';
import type { UsageLine } from './usage.js';

/** How long a teacher may take to say whether it is there. */
export const DESCRIBE_TIMEOUT_MS = 3_000;
/** By how much a claim on a query outlives the call's timeout. */
export const LEASE_BEYOND_TIMEOUT_MS = 5_000;
const MAX_LOOK_INTERVAL_MS = 5_000;

export interface TeacherProxyOptions {
  state: StateStore;
  cache: AnswerCache;
  clock: Clock;
  random: RandomStream;
  /** Where secrets are looked up by name. */
  env: Environment;
  /** Names this process among all that ever make calls. */
  holder: string;
  /** Whether no other process can have the stores at the same time. */
  soleUser: boolean;
  /** Of the stores that the state is of: without them, calls that left before a crash count as never made. */
  marks: ProcessMarks | undefined;
  /** Calls that this process has open at one teacher at most, beside what the teacher allows. */
  maxOpenCalls?: number;
  /** For those who watch what a teacher says. Default {@link openTeacher}. */
  open?: typeof openTeacher;
  logger: Logger;
}

/** What is known of a teacher. */
export interface Described {
  config: TeacherConfig;
  facts: TeacherFacts;
  cacheIdentity: string;
  /** As sent; undefined where the shape of the images isn't known. */
  bytesPerImage?: number | undefined;
  /** By the teacher's own budgets, which are for all runs; undefined where there are none. */
  left?: Pick<Left, 'images' | 'moneyMicros'> | undefined;
}

const UTILISATION =
  "1 where calls wait for the teacher's limit; else the part of it that this replica has used in the last half minute";

/** A registered teacher with all that its paid path needs. */
interface Desk {
  config: TeacherConfig;
  teacher: Teacher;
  labeller: Labeller;
  ledger: Ledger;
  limiter: Limiter;
}

/** Why calls to the teacher stand still or go slower than declared, for people; empty where they don't. */
function whatCallsWaitFor({ labeller, limiter }: Desk): string {
  const { state, detail } = labeller.breaker.state();
  const { waiting, waitsFor, rate, openCalls } = limiter.state();
  return [
    state === 'closed' ? '' : `circuit breaker ${state}: ${detail}`,
    waiting > 0 ? `${waiting} calls wait for ${waitsFor}` : '',
    rate < 1 ? `slowed to ${Math.round(rate * 100)} % of the declared rate` : '',
    openCalls < 1 ? `${Math.round(openCalls * 100)} % of the declared calls at once` : '',
  ]
    .filter(Boolean)
    .join('; ');
}

function bytesPerImageOf(teacher: Teacher, shape: ImageShape): number {
  return teacher.canonicalRequests({ count: 1, shape, pixels: new Uint8Array(pixelsPerImage(shape)) }).bytesPerImage;
}

/** All registered teachers behind one door. A teacher is opened when it is first wanted. */
export class TeacherProxy {
  readonly registry: TeacherRegistry;
  readonly #usage: UsageBook;
  readonly #calls: CallLog;
  readonly #coalescer = new Coalescer();
  readonly #closing = new AbortController();
  /** Holders that are known to have ended. */
  #gone: readonly string[] = [];
  #opened = 0;
  /** Opened before the operator changed their settings; calls may still be under way. */
  readonly #retired: Promise<Desk>[] = [];
  readonly #desks = new Map<string, { fingerprint: string; desk: Promise<Desk> }>();

  constructor(private readonly options: TeacherProxyOptions) {
    this.registry = new TeacherRegistry(options.state);
    this.#usage = new UsageBook(options.state);
    this.#calls = new CallLog(options.state);
  }

  /** As `Labeller.label`. @throws NotFoundError where no such teacher is registered */
  async label(teacher: string, task: LabelTask, options?: LabelOptions): Promise<Labelled> {
    return (await this.#desk(teacher)).labeller.label(task, options);
  }

  /** Answers from the cache only; spends nothing. */
  async lookUp(teacher: string, images: ImageBatch, classes: number): Promise<Labelled> {
    return (await this.#desk(teacher)).labeller.lookUp(images, classes);
  }

  /** How many distinct images of the batches there are, and how many of them have an answer in the cache. */
  async countCached(
    teacher: string,
    batches: AsyncIterable<ImageBatch>,
  ): Promise<{ distinct: number; cached: number }> {
    const { labeller } = await this.#desk(teacher);
    const seen = new Set<string>();
    let cached = 0;
    for await (const images of batches) {
      const fresh = [...labeller.distinctKeys(images)].filter(([hex]) => !seen.has(hex));
      for (const [hex] of fresh) seen.add(hex);
      const found = await this.options.cache.getMany(fresh.map(([, key]) => key));
      cached += found.filter((answer) => answer !== undefined).length;
    }
    return { distinct: seen.size, cached };
  }

  /**
   * Asks the teacher nothing that costs.
   * @param shape of the images that are to be asked about
   */
  async describe(name: string, shape?: ImageShape): Promise<Described> {
    const config = await this.registry.get(name);
    const left = config.budget && (await this.#ledgerOf(config).leftToAll());
    let desk: Desk;
    try {
      desk = await this.#desk(name);
    } catch (error) {
      const detail = asBbdError(error).message;
      const facts = { adapter: config.adapter, endpoint: config.url ?? config.path ?? '', ready: false, detail };
      return { config, facts, cacheIdentity: '', left };
    }
    const timeout = new AbortController();
    const done = new AbortController();
    void this.options.clock.sleep(DESCRIBE_TIMEOUT_MS, done.signal).then(
      () => timeout.abort(),
      () => undefined,
    );
    try {
      const facts = await desk.teacher.describe(timeout.signal);
      const detail = [facts.detail, whatCallsWaitFor(desk)].filter(Boolean).join('; ');
      return {
        config,
        facts: { ...facts, detail },
        cacheIdentity: desk.teacher.cacheIdentity,
        bytesPerImage: shape && bytesPerImageOf(desk.teacher, shape),
        left,
      };
    } finally {
      done.abort();
    }
  }

  /** How the teacher's raw answers are read; for a local model this may have been found out by a probe. */
  async answerKind(name: string): Promise<string> {
    return (await this.#desk(name)).teacher.answer.kind;
  }

  /** Why calls to the teacher stand still or go slowly, for people; empty where they don't. @throws NotFoundError */
  async whatCallsWaitFor(name: string): Promise<string> {
    return whatCallsWaitFor(await this.#desk(name));
  }

  /** @param teacher absent: all; @param run absent: all */
  async usage(teacher?: string, run?: string): Promise<UsageLine[]> {
    const names = teacher === undefined ? await this.registry.names() : [teacher];
    const lines: UsageLine[] = [];
    for (const name of names) {
      const config = await this.registry.get(name);
      lines.push(...(await usageLines(this.#usage, this.#ledgerOf(config), config.price.currency, run)));
    }
    return lines;
  }

  /**
   * To be called before the first query: settles what processes that died had under way.
   * @param gone holders of which that is known; where one process at a time has the stores, all others are
   */
  async recover(gone: readonly string[] = []): Promise<void> {
    const { soleUser, holder: mine } = this.options;
    this.#gone = gone;
    const isGone = (holder: string) => (soleUser ? !holder.startsWith(mine) : this.#isGone(holder));
    for (const name of await this.registry.names()) {
      const config = await this.registry.get(name);
      const ledger = this.#ledgerOf(config);
      await recoverOpenCalls({
        ledger,
        calls: this.#calls,
        cache: this.options.cache,
        isAbandoned: (call) => isGone(call.holder),
        logger: this.options.logger,
      });
      if (!soleUser && gone.length === 0) continue;
      for (const holder of Object.keys(await ledger.holders())) if (isGone(holder)) await ledger.bury(holder);
    }
  }

  /** How near limits and budgets are, of every teacher that is being used; for the metrics. @returns stops it */
  observe(): () => void {
    const opened = async () => {
      const desks = await Promise.allSettled([...this.#desks.values()].map(({ desk }) => desk));
      return desks.flatMap((settled) => (settled.status === 'fulfilled' ? [settled.value] : []));
    };
    const left = async (of: 'images' | 'money') => {
      const desks = await opened();
      return (await Promise.all(desks.map(async ({ labeller }) => (await labeller.budgets.left())[of]))).flat();
    };
    const stops = [
      observe('bbdistill_limiter_utilisation_ratio', { description: UTILISATION }, async () =>
        (await opened()).map(({ config, labeller, limiter }) => ({
          // Where calls wait for the limit that all replicas share, all of it is used, whoever uses it.
          value: limiter.state().waitsFor.startsWith('the limit') ? 1 : labeller.limitUse.ratio(),
          attributes: { teacher: config.name },
        })),
      ),
      observe('bbdistill_budget_left_images', { description: 'images left to runs that are being labelled' }, () =>
        left('images'),
      ),
      observe(
        'bbdistill_budget_left_money',
        { description: 'money left to them, in the currency of the teacher' },
        () => left('money'),
      ),
    ];
    return () => stops.forEach((stop) => stop());
  }

  /** Nothing more is asked; calls under way are settled first. */
  async close(): Promise<void> {
    this.#closing.abort();
    const desks = [...this.#retired, ...[...this.#desks.values()].map((known) => known.desk)];
    await Promise.all(
      desks.map(async (opening) => {
        const desk = await opening.catch(() => undefined);
        if (desk) await this.#closeDesk(desk);
      }),
    );
    this.#desks.clear();
  }

  async #closeDesk({ labeller, limiter, ledger, teacher }: Desk): Promise<void> {
    await labeller.close();
    await limiter.close();
    await ledger.close().catch((error: unknown) => {
      this.options.logger.warn({ err: asBbdError(error) }, 'the ledger still shows this process: others take it out');
    });
    await teacher.close();
  }

  #isGone(holder: string): boolean {
    return this.#gone.some((other) => holder.startsWith(`${other}.`));
  }

  #ledgerOf(config: TeacherConfig): Ledger {
    const { state, clock, random, marks, soleUser, logger } = this.options;
    return new Ledger(state, config.name, config.price, {
      clock,
      leaseMs: config.limits.timeoutMs + LEASE_BEYOND_TIMEOUT_MS,
      random,
      hasPeers: !soleUser,
      ...(marks && { marks }),
      ...(config.budget && { budget: config.budget }),
      onWarning: (run, spent, budget) =>
        logger.warn({ teacher: config.name, run, spent, budget }, 'most of a budget is spent'),
    });
  }

  /** Looks now and then for replicas of the teacher that died, and brings their calls to an end. */
  async #watchOver({ config, ledger }: Pick<Desk, 'config' | 'ledger'>): Promise<void> {
    const { clock, logger, cache } = this.options;
    const { signal } = this.#closing;
    const leaseMs = config.limits.timeoutMs + LEASE_BEYOND_TIMEOUT_MS;
    const intervalMs = Math.min(MAX_LOOK_INTERVAL_MS, leaseMs / 4);
    const seen = new Map<string, { beat: number; atMs: number }>();
    let lookedAtMs = clock.monotonicMs();
    for (;;) {
      await clock.sleep(intervalMs, signal);
      try {
        const holders = await ledger.holders();
        const nowMs = clock.monotonicMs();
        // Whoever could not look for a while, cut off or frozen, begins anew: others may have been cut off as well.
        if (nowMs - lookedAtMs > 2 * intervalMs) seen.clear();
        lookedAtMs = nowMs;
        for (const holder of [...seen.keys()]) if (holders[holder] === undefined) seen.delete(holder);
        for (const [holder, beat] of Object.entries(holders)) {
          const known = seen.get(holder);
          if (known?.beat !== beat) seen.set(holder, { beat, atMs: nowMs });
          else if (nowMs - known.atMs > leaseMs && (await ledger.condemn(holder, beat))) {
            await recoverOpenCalls({
              ledger,
              calls: this.#calls,
              cache,
              isAbandoned: (call) => call.holder === holder,
              logger,
            });
            await ledger.bury(holder);
          }
        }
      } catch (error) {
        if (signal.aborted) return;
        logger.warn(
          { err: asBbdError(error), teacher: config.name },
          'could not look after the calls of other replicas',
        );
      }
    }
  }

  /** Opens the teacher, or opens it anew where the operator changed its settings. */
  async #desk(name: string): Promise<Desk> {
    const config = await this.registry.get(name);
    const fingerprint = canonicalJson(config);
    const known = this.#desks.get(name);
    if (known?.fingerprint === fingerprint) return known.desk;
    if (known) this.#retired.push(known.desk);
    const desk = this.#open(config);
    this.#desks.set(name, { fingerprint, desk });
    // A failure isn't kept: the file may be there the next time.
    desk.catch(() => {
      // Settings may have changed meanwhile: their desk stays.
      if (this.#desks.get(name)?.desk === desk) this.#desks.delete(name);
    });
    return desk;
  }

  async #open(config: TeacherConfig): Promise<Desk> {
    const {
      state,
      env,
      clock,
      cache,
      random,
      holder,
      soleUser,
      maxOpenCalls,
      logger,
      open = openTeacher,
    } = this.options;
    const teacher = await open(config, env, clock);
    showImages(config.name);
    // Two openings of one teacher in one process must not make calls of the same id.
    const opening = `${holder}.${++this.#opened}`;
    const limiter = new SharedLimiter({
      teacher: config.name,
      limits: config.limits,
      state,
      clock,
      holder: opening,
      soleUser,
      isGone: (other) => this.#isGone(other),
      ...(maxOpenCalls !== undefined && { maxOpenCalls }),
      logger,
    });
    const ledger = this.#ledgerOf(config);
    const living = async () => new Set(Object.keys(await ledger.holders()));
    const labeller = new Labeller({
      config,
      teacher,
      cache,
      ledger,
      calls: this.#calls,
      usage: this.#usage,
      limiter,
      coalescer: this.#coalescer,
      ...(!soleUser && { claims: new Claims(state, config.name, living) }),
      clock,
      random,
      holder: opening,
      logger,
    });
    if (!soleUser) void this.#watchOver({ config, ledger }).catch(() => undefined);
    return { config, teacher, labeller, ledger, limiter };
  }
}
