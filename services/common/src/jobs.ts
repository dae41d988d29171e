import { randomUUID } from 'node:crypto';
import type { Clock } from './clock.js';
import { BbdError, CancelledError, NotFoundError, asBbdError } from './errors.js';
import { measuredJob, observeWaitingJobs } from './job-metrics.js';
import type { JobContext, JobProgress } from './job-context.js';
import { decodeJson, encodeJson, hashOf } from './json.js';
import { JointSignal } from './joint-signal.js';
import { keepWatching } from './keep-watching.js';
import { RevisionMismatchError, KeyExistsError } from './stores/state-store.js';
import type { StateStore } from './stores/state-store.js';
import { isStoreOutage } from './stores/stores.js';
import type { Stores } from './stores/stores.js';
import type { Delivery } from './stores/work-queue.js';
import { traceCarrier } from './telemetry.js';

export type JobState = 'queued' | 'running' | 'succeeded' | 'failed' | 'cancelled';

export interface JobFailure {
  code: string;
  message: string;
  retryable: boolean;
}

/** One piece of queued work, as kept in the state store. */
export interface JobRecord<Request = unknown, Result = unknown> {
  id: string;
  kind: string;
  request: Request;
  state: JobState;
  progress?: JobProgress;
  failure?: JobFailure;
  result?: Result;
  cancelRequested: boolean;
  /** Deliveries so far. */
  attempts: number;
  /** Deliveries in a row that got no further than those before them. */
  vainAttempts?: number;
  /** How far the deliveries before this one got, in the progress's own unit. */
  furthest?: number;
  /** While running: until when its worker's word counts. A second message for the job waits for that moment. */
  heldUntilMs?: number;
  /** While running: `session/delivery` of the worker that holds it. Only that one may write how it goes on. */
  heldBy?: string;
  queuedAtMs: number;
  startedAtMs?: number;
  endedAtMs?: number;
  /** Of one that ended long before: when its result was last asked for. */
  reusedAtMs?: number;
}

/** Attempts that got no further, of a job whose workers died, before it is given up as poison. */
export const MAX_JOB_ATTEMPTS = 10;
export const PROGRESS_INTERVAL_MS = 500;
/** How often within the ack wait a worker says that it is alive. */
const SIGNS_OF_LIFE = 3;
/** Of a silent worker: after one ack wait its message is delivered again, unless it is lost. */
const LOST_AFTER_ACK_WAITS = 3;
/** A result that was made or asked for longer ago says when it is asked for again. Less than the age of any garbage. */
const REUSE_STEP_MS = 1_800_000;
/** After a failure to take jobs at all, e.g. because the stores are away for long. */
const TAKE_AGAIN_MS = 1_000;

export function isEnded(state: JobState): boolean {
  return state === 'succeeded' || state === 'failed' || state === 'cancelled';
}

/** Of a job that ended: when its result was made or asked for last. */
export function lastUseMs({ endedAtMs = 0, reusedAtMs = 0 }: JobRecord): number {
  return Math.max(endedAtMs, reusedAtMs);
}

/** The id under which the same work is one job. */
export function jobId(kind: string, request: unknown): string {
  return hashOf({ kind, request });
}

const keyOf = (id: string) => `jobs/${id}`;

/** Submits, watches and cancels queued work. Used by the orchestrator and by the services' own APIs. */
export class JobClient {
  constructor(
    private readonly stores: Pick<Stores, 'state' | 'queue'>,
    private readonly clock: Clock,
  ) {}

  /**
   * Queues the work, or finds it queued, running or done. What failed or was cancelled is queued again.
   * @param request plain JSON; equal requests are one job
   * @param signal nothing is queued after its abort
   * @throws CancelledError where the signal aborted first
   */
  async submit<Request, Result>(
    kind: string,
    request: Request,
    signal?: AbortSignal,
  ): Promise<JobRecord<Request, Result>> {
    const id = jobId(kind, request);
    const fresh: JobRecord<Request, Result> = {
      id,
      kind,
      request,
      state: 'queued',
      cancelRequested: false,
      attempts: 0,
      queuedAtMs: this.clock.nowMs(),
    };
    // Most work is asked for once.
    for (let isNew = true; ; isNew = false) {
      const entry = isNew ? undefined : await this.stores.state.get(keyOf(id));
      if (signal?.aborted) throw new CancelledError(`stopped before the ${kind} job was queued`);
      try {
        if (!entry) {
          await this.stores.state.create(keyOf(id), encodeJson(fresh), signal);
        } else {
          const found = decodeJson<JobRecord<Request, Result>>(entry.value);
          const again = found.state === 'failed' || found.state === 'cancelled' || found.cancelRequested;
          if (found.state === 'succeeded') return await this.#reuse(found, entry.revision, signal);
          if (found.state === 'running' && !again) return found;
          if (again) await this.stores.state.update(keyOf(id), encodeJson(fresh), entry.revision, signal);
        }
      } catch (error) {
        if (error instanceof RevisionMismatchError || error instanceof KeyExistsError) continue;
        throw error;
      }
      // A record that is queued may have lost its message in a crash between the two writes: publish once more,
      // the worker's guard makes a second delivery harmless.
      await this.stores.queue.publish({ kind, id, ...tracePart() }, signal);
      return fresh;
    }
  }

  /**
   * Whoever deletes what nobody needs sees that this is needed, or has been quicker.
   * @throws RevisionMismatchError where the record was changed or deleted meanwhile
   */
  async #reuse<Request, Result>(
    record: JobRecord<Request, Result>,
    revision: number,
    signal?: AbortSignal,
  ): Promise<JobRecord<Request, Result>> {
    const nowMs = this.clock.nowMs();
    if (nowMs - lastUseMs(record) < REUSE_STEP_MS) return record;
    const reused = { ...record, reusedAtMs: nowMs };
    await this.stores.state.update(keyOf(record.id), encodeJson(reused), revision, signal);
    return reused;
  }

  /** @throws NotFoundError */
  async get<Request = unknown, Result = unknown>(id: string): Promise<JobRecord<Request, Result>> {
    const entry = await this.stores.state.get(keyOf(id));
    if (!entry) throw new NotFoundError(`there is no job ${id}`, { code: 'JOB_NOT_FOUND' });
    return decodeJson(entry.value);
  }

  /** The record now and after each change; ends with the job or when the signal aborts. */
  async *watch<Request = unknown, Result = unknown>(
    id: string,
    signal: AbortSignal,
  ): AsyncIterable<JobRecord<Request, Result>> {
    await this.get(id);
    yield* this.#follow(id, signal);
  }

  async *#follow<Request, Result>(id: string, signal: AbortSignal): AsyncIterable<JobRecord<Request, Result>> {
    for await (const change of this.stores.state.watchKey(keyOf(id), signal)) {
      if (change.type === 'delete') return;
      const record = decodeJson<JobRecord<Request, Result>>(change.entry.value);
      yield record;
      if (isEnded(record.state)) return;
    }
  }

  /**
   * Waits for a job's end.
   * @param job its id, or what `submit` returned
   * @returns its result
   * @throws BbdError with the job's failure; CancelledError where the job or the wait was cancelled
   */
  async result<Result>(
    job: string | JobRecord<unknown, Result>,
    signal: AbortSignal,
    onChange?: (record: JobRecord<unknown, Result>) => void | Promise<void>,
  ): Promise<Result> {
    const id = typeof job === 'string' ? job : job.id;
    const records = typeof job === 'string' ? this.watch<unknown, Result>(id, signal) : this.#from(job, signal);
    const over = new AbortController();
    using until = new JointSignal(signal, over.signal);
    void this.#bringBack(id, until.signal);
    try {
      for await (const record of records) {
        await onChange?.(record);
        if (record.state === 'succeeded') return record.result as Result;
        if (record.state === 'failed') throw jobError(record);
        if (record.state === 'cancelled') throw new CancelledError(`job ${record.kind} ${id} was cancelled`);
      }
      throw new CancelledError(`stopped waiting for job ${id}`);
    } finally {
      over.abort();
    }
  }

  /** As `watch`, of a record that was read or written just now. */
  async *#from<Result>(
    record: JobRecord<unknown, Result>,
    signal: AbortSignal,
  ): AsyncIterable<JobRecord<unknown, Result>> {
    if (isEnded(record.state)) yield record;
    else yield* this.#follow<unknown, Result>(record.id, signal);
  }

  /** Queues a job anew whose worker is silent for so long that its message must be lost as well. */
  async #bringBack(id: string, signal: AbortSignal): Promise<void> {
    const { state, queue } = this.stores;
    const patienceMs = LOST_AFTER_ACK_WAITS * queue.ackWaitMs;
    let broughtBackFrom: number | undefined;
    for (;;) {
      try {
        await this.clock.sleep(patienceMs, signal);
        const entry = await state.get(keyOf(id));
        const record = entry && decodeJson<JobRecord>(entry.value);
        if (record?.state !== 'running') continue;
        const { kind, heldUntilMs = 0 } = record;
        if (heldUntilMs > this.clock.nowMs() - patienceMs) continue;
        // Once for each worker that fell silent: as long as none is up to take it, more messages would only look like
        // more work. The one that was sent then is certain to be lost only where the queue has none.
        if (heldUntilMs === broughtBackFrom && (await queue.unacknowledged(kind)) > 0) continue;
        await queue.publish({ kind, id }, signal);
        broughtBackFrom = heldUntilMs;
      } catch {
        // A store that is away is tried again, and told of by whoever waits for the result.
        if (signal.aborted) return;
      }
    }
  }

  /** Asks for a stop. A queued job ends at once, a running one when its worker sees the wish. */
  async cancel(id: string): Promise<JobRecord> {
    return new KeptRecord(this.stores.state, id).change((record) => {
      if (isEnded(record.state)) return undefined;
      if (record.state === 'queued') {
        return { ...record, cancelRequested: true, state: 'cancelled', endedAtMs: this.clock.nowMs() };
      }
      return { ...record, cancelRequested: true };
    });
  }
}

export type JobHandler<Request, Result> = (request: Request, context: JobContext) => Promise<Result>;

export interface JobWorkerOptions {
  stores: Pick<Stores, 'state' | 'queue' | 'soleSession'>;
  clock: Clock;
  // Each handler knows the request of its own kind; the table can't.
  handlers: Record<string, JobHandler<never, unknown>>;
  concurrency: number;
  signal: AbortSignal;
  /** Told of failures that are no job's own, e.g. a state store that can't be reached. */
  onError: (error: BbdError) => void;
}

/**
 * Takes jobs from the queue until the signal aborts, then waits for those in hand. A job is acknowledged after its
 * result is committed; one whose worker dies is delivered again.
 */
export async function runJobWorker(options: JobWorkerOptions): Promise<void> {
  const stopObserving = observeWaitingJobs(options.stores.queue, Object.keys(options.handlers));
  const inHand = new Set<Promise<void>>();
  for (let taking = true; taking && !options.signal.aborted;) {
    try {
      await takeJobs(options, inHand);
      taking = false;
    } catch (error) {
      options.onError(asBbdError(error));
      await options.clock.sleep(TAKE_AGAIN_MS, options.signal).catch(() => undefined);
    }
  }
  await Promise.all(inHand);
  stopObserving();
}

async function takeJobs(options: JobWorkerOptions, inHand: Set<Promise<void>>): Promise<void> {
  const deliveries = options.stores.queue.consume({
    kinds: Object.keys(options.handlers),
    concurrency: options.concurrency,
    signal: options.signal,
  });
  for await (const delivery of deliveries) {
    const work = workOn(delivery, options)
      .catch((error: unknown) => options.onError(asBbdError(error)))
      .finally(() => inHand.delete(work));
    inHand.add(work);
  }
}

async function workOn(delivery: Delivery, options: JobWorkerOptions): Promise<void> {
  const { state, queue } = options.stores;
  const { id, kind } = delivery.message;
  const nowMs = () => options.clock.nowMs();
  const heldBy = `${options.stores.soleSession ?? ''}/${randomUUID()}`;
  let heldByOtherMs = 0;
  const kept = new KeptRecord(state, id);
  const started = await kept
    .change((record) => {
      heldByOtherMs = holdLeftMs(record, options);
      if (isEnded(record.state) || heldByOtherMs > 0) return undefined;
      if (record.cancelRequested) return ended(record, 'cancelled', nowMs());
      const furthest = Math.max(record.furthest ?? 0, record.progress?.done ?? 0);
      // Whoever is killed over and over, but gets further each time, is no poison.
      const vainAttempts = furthest > (record.furthest ?? 0) ? 0 : (record.vainAttempts ?? record.attempts);
      if (vainAttempts >= MAX_JOB_ATTEMPTS) {
        const failure = {
          code: 'JOB_POISONED',
          message:
            `${vainAttempts} workers in a row died on this ${kind} job (${id}) without getting further: ` +
            'look at their logs, then resume the run',
          retryable: false,
        };
        return { ...ended(record, 'failed', nowMs()), failure };
      }
      return {
        ...record,
        state: 'running',
        attempts: record.attempts + 1,
        vainAttempts: vainAttempts + 1,
        furthest,
        startedAtMs: nowMs(),
        heldUntilMs: nowMs() + queue.ackWaitMs,
        heldBy,
      };
    })
    .catch((error: unknown) => {
      if (error instanceof NotFoundError) return undefined;
      throw error;
    });
  if (!started || isEnded(started.state)) return delivery.ack();
  if (heldByOtherMs > 0) return delivery.nak(heldByOtherMs);

  // A worker that was frozen and lost its hold, or whose job was submitted anew, changes nothing any more.
  const changeMine = (change: (record: JobRecord) => JobRecord) =>
    kept.change((record) => (record.heldBy === heldBy ? change(record) : undefined));
  // Nor does it acknowledge: the message is what brings the job back should the other worker die.
  const acknowledge = async (left: JobRecord) => {
    if (isEnded(left.state)) await delivery.ack();
  };
  const stop = new AbortController();
  const onShutdown = () => stop.abort();
  options.signal.addEventListener('abort', onShutdown, { once: true });
  if (options.signal.aborted) stop.abort();
  const over = new AbortController();
  const watching = keepWatching({
    open: (isAgain) => recordsOf(state, id, over.signal, isAgain),
    onChange: (record) => {
      if (!record || record.cancelRequested || record.heldBy !== heldBy) stop.abort();
    },
    onFailure: options.onError,
    clock: options.clock,
    signal: over.signal,
  });
  const keeping = keepHold(options.clock, queue.ackWaitMs / SIGNS_OF_LIFE, over.signal, async () => {
    await delivery.working();
    await changeMine((record) => ({ ...record, heldUntilMs: nowMs() + queue.ackWaitMs }));
  });
  const reporter = new ProgressReporter(changeMine, options.clock);
  try {
    const handler = options.handlers[kind] as JobHandler<unknown, unknown>;
    const context: JobContext = {
      jobId: id,
      attempt: started.attempts,
      signal: stop.signal,
      progress: (progress) => reporter.report(progress),
    };
    const result = await measuredJob(delivery, context, options.clock, (measured) =>
      handler(started.request, measured),
    );
    const last = await reporter.settled();
    await acknowledge(await changeMine((record) => ({ ...ended(record, 'succeeded', nowMs()), ...last, result })));
  } catch (thrown) {
    const last = await reporter.settled();
    if (options.signal.aborted) {
      // The service stops, the job doesn't: whoever comes next goes on with it.
      await changeMine((record) => ({
        ...letGo(record),
        ...last,
        state: 'queued',
        attempts: record.attempts - 1,
        vainAttempts: Math.max(0, (record.vainAttempts ?? 1) - 1),
      }));
      await delivery.nak(0);
      return;
    }
    // The job isn't to blame: it is delivered again once the stores are there.
    if (isStoreOutage(thrown)) throw thrown;
    const { code, message, retryable } = asBbdError(thrown);
    const left = await changeMine((record) =>
      record.cancelRequested
        ? { ...ended(record, 'cancelled', nowMs()), ...last }
        : { ...ended(record, 'failed', nowMs()), ...last, failure: { code, message, retryable } },
    );
    await acknowledge(left);
  } finally {
    options.signal.removeEventListener('abort', onShutdown);
    over.abort();
    await Promise.all([watching, keeping]);
  }
}

/** The trace that queues the job, to go on where it is worked on. */
function tracePart(): { trace?: Readonly<Record<string, string>> } {
  const trace = traceCarrier();
  return Object.keys(trace).length > 0 ? { trace } : {};
}

/** How long another worker's word still counts; 0 where nobody holds the job. */
function holdLeftMs(record: JobRecord, { stores, clock }: JobWorkerOptions): number {
  if (record.state !== 'running') return 0;
  // Where one process at a time has the stores, what a former one held is free at once.
  if (stores.soleSession !== undefined && !record.heldBy?.startsWith(`${stores.soleSession}/`)) return 0;
  return Math.max((record.heldUntilMs ?? 0) - clock.nowMs(), 0);
}

function letGo({ heldBy: _heldBy, heldUntilMs: _heldUntilMs, ...record }: JobRecord): JobRecord {
  return record;
}

function ended(record: JobRecord, state: JobState, endedAtMs: number): JobRecord {
  return { ...letGo(record), state, endedAtMs };
}

async function keepHold(
  clock: Clock,
  intervalMs: number,
  signal: AbortSignal,
  extend: () => Promise<void>,
): Promise<void> {
  try {
    for (;;) {
      await clock.sleep(intervalMs, signal);
      // An extension that is lost is made up for by the next one; losing all of them is what the ack wait is for.
      await extend().catch(() => undefined);
    }
  } catch (error) {
    if (!(error instanceof CancelledError)) throw error;
  }
}

/** The error that a failed job stands for. */
export function jobError(record: JobRecord): BbdError {
  const failure = record.failure ?? { code: 'INTERNAL', message: 'no reason was recorded', retryable: false };
  const kind = failure.code === 'BUDGET_EXHAUSTED' ? 'budget-exhausted' : 'failed-precondition';
  return new BbdError(kind, failure.message, { code: failure.code, retryable: failure.retryable });
}

/** The job's record now and after each change; `undefined`: it was deleted. */
async function* recordsOf(
  state: StateStore,
  id: string,
  signal: AbortSignal,
  isAgain: boolean,
): AsyncIterable<JobRecord | undefined> {
  // A watch shows nothing of a record that was deleted before it began.
  if (isAgain && !(await state.get(keyOf(id)))) yield undefined;
  for await (const change of state.watchKey(keyOf(id), signal)) {
    yield change.type === 'put' ? decodeJson<JobRecord>(change.entry.value) : undefined;
  }
}

/** Writes progress, one write at a time and not more often than PROGRESS_INTERVAL_MS. */
class ProgressReporter {
  #latest: JobProgress | undefined;
  #lastWriteMs = -Infinity;
  #writing: Promise<void> = Promise.resolve();
  #busy = false;

  constructor(
    private readonly change: (change: (record: JobRecord) => JobRecord) => Promise<JobRecord>,
    private readonly clock: Clock,
  ) {}

  report(progress: JobProgress): void {
    this.#latest = progress;
    if (this.#busy || this.clock.monotonicMs() - this.#lastWriteMs < PROGRESS_INTERVAL_MS) return;
    this.#write();
  }

  /** No write is under way. @returns the progress that was not written yet: whoever writes next takes it along */
  async settled(): Promise<{ progress?: JobProgress }> {
    await this.#writing;
    const progress = this.#latest;
    this.#latest = undefined;
    return progress ? { progress } : {};
  }

  #write(): void {
    const progress = this.#latest;
    if (!progress) return;
    this.#latest = undefined;
    this.#busy = true;
    this.#lastWriteMs = this.clock.monotonicMs();
    this.#writing = this.change((record) => ({ ...record, progress }))
      .then(() => undefined)
      // Progress is for show: a store that can't be reached is reported by the commit of the result.
      .catch(() => undefined)
      .finally(() => (this.#busy = false));
  }
}

/** A job's record in the hands of one who changes it more than once. */
class KeptRecord {
  /** As it was written here last; others may have written since. */
  #written: { record: JobRecord; revision: number } | undefined;

  constructor(
    private readonly state: StateStore,
    private readonly id: string,
  ) {}

  /** Compare-and-set until it holds; `undefined` from the change leaves the record as it is. */
  async change(change: (record: JobRecord) => JobRecord | undefined): Promise<JobRecord> {
    // A worker is nearly always the last who changed its job, and needn't read what it wrote.
    for (let known = this.#written; ; known = undefined) {
      const { record, revision } = known ?? (await this.#read());
      const changed = change(record);
      if (!changed) {
        // Only what was read now tells that there is nothing to change.
        if (known) continue;
        return record;
      }
      this.#written = undefined;
      try {
        this.#written = {
          record: changed,
          revision: await this.state.update(keyOf(this.id), encodeJson(changed), revision),
        };
        return changed;
      } catch (error) {
        if (!(error instanceof RevisionMismatchError)) throw error;
      }
    }
  }

  async #read(): Promise<{ record: JobRecord; revision: number }> {
    const entry = await this.state.get(keyOf(this.id));
    if (!entry) throw new NotFoundError(`there is no job ${this.id}`, { code: 'JOB_NOT_FOUND' });
    return { record: decodeJson(entry.value), revision: entry.revision };
  }
}
