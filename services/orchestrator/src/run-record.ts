import {
  CancelledError,
  FailedPreconditionError,
  KeyExistsError,
  NotFoundError,
  RUN_KEY_PREFIX,
  RevisionMismatchError,
  SequenceMismatchError,
  decodeJson,
  encodeJson,
} from '@bbdistill/common';
import type {
  BbdError,
  EventLog,
  JobFailure,
  JobProgress,
  JobState,
  StateEntry,
  StateStore,
  TraceCarrier,
} from '@bbdistill/common';
import type { ExportedFile__Output } from '@bbdistill/common/gen/bbdistill/v1/ExportedFile.js';
import type { RunSpec__Output } from '@bbdistill/common/gen/bbdistill/v1/RunSpec.js';
import type { Worker } from './scaler/workers.js';

export type RunState = 'pending' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'budget-exhausted';

/** From a beginning to an end, ms of the epoch. */
export interface Span {
  startedAtMs: number;
  endedAtMs: number;
}

export interface StageRecord {
  name: string;
  state: JobState;
  progress?: JobProgress;
  /** Taken from an earlier run with the same inputs. */
  reused: boolean;
  startedAtMs?: number;
  endedAtMs?: number;
  /** Attempts before this one, which ended with a run that was resumed. */
  earlier?: Span[];
  /** Who works on its jobs, where those come and go with the work. */
  worker?: Worker;
  /** Why it waits, where it does. */
  waitingFor?: string;
}

/** Who drives the run. Whoever writes must hold the epoch; a later driver has a higher one. */
export interface DriverLease {
  holder: string;
  epoch: number;
  expiresAtMs: number;
}

/** Everything known of a run, changed by compare-and-set only. */
export interface RunRecord {
  id: string;
  requestId: string;
  /** Of the spec as first sent, to tell a repeated request from another one under the same id. */
  specHash: string;
  spec: RunSpec__Output;
  state: RunState;
  failure?: JobFailure;
  stages: StageRecord[];
  /** Ids of the jobs that a cancel has to stop; empty once the run is over. */
  jobs: string[];
  /** Ids of all jobs whose results the run used: they are kept as long as the run. */
  usedJobs?: string[];
  artifacts: ExportedFile__Output[];
  /** Of the event that tells the end of a run that is over. Its driver may have died before it appended it. */
  endSequence?: number;
  /** Of the call that made the run. */
  trace?: TraceCarrier;
  createdAtMs: number;
  /** Of the first attempt. */
  startedAtMs?: number;
  endedAtMs?: number;
  /** Between the ends of attempts and their resumption, added up. */
  idleMs?: number;
  lease?: DriverLease;
  cancelRequested: boolean;
  /** Answers that are of no use are asked for again: said by whoever resumed the run last. */
  reask?: boolean;
}

export type RunEventBody = { stage: StageRecord } | { state: RunState } | { message: string } | { failure: JobFailure };

/** Another driver took the run over; this one must not change anything any more. */
export class FencedError extends FailedPreconditionError {
  constructor(runId: string, epoch: number, found: DriverLease | undefined) {
    super(
      `run ${runId} is driven by ${found?.holder ?? 'nobody'} (epoch ${found?.epoch ?? 0}), no longer by epoch ${epoch}`,
      {
        code: 'FENCED',
      },
    );
  }
}

/** Why a driver stops in the middle without ending the run: the next one goes on with it, and with its jobs. */
export class HandoverError extends CancelledError {}

/** What ids look like: other text, e.g. a run's name, must not get as far as the stores, which speak of their own keys. */
const RUN_ID = /^[\w-]{1,128}$/;
const keyOf = (runId: string) => `${RUN_KEY_PREFIX}${runId}`;
/** Names a run that somebody has to drive or to finish: what drivers look through, however many runs there were. */
const activeKeyOf = (runId: string) => `active/${runId}`;

/** What is told of a run that ends. */
export function endEvents(state: RunState, failure: JobFailure | undefined): RunEventBody[] {
  return failure ? [{ failure }, { state }] : [{ state }];
}

export function isOver(state: RunState): boolean {
  return state !== 'pending' && state !== 'running';
}

interface ActiveMark {
  /** When the run was made or resumed. */
  atMs: number;
}

/** A run that may need a driver. */
export interface ActiveRun extends ActiveMark {
  id: string;
  /** Of the mark. */
  revision: number;
}

/** Runs of which this process knows what it wrote. */
const MAX_KNOWN_RUNS = 1_024;

/** The run records and their event streams. */
export class RunStore {
  /** Of runs under way what this process wrote last, the newest at the end; others may have written since. */
  readonly #written = new Map<string, { record: RunRecord; revision: number }>();

  constructor(
    private readonly state: StateStore,
    readonly events: EventLog,
  ) {}

  /**
   * @param signal after its abort a run that could not be made yet is given up
   * @throws KeyExistsError
   */
  async create(record: RunRecord, signal?: AbortSignal): Promise<void> {
    // First the mark: a run that is there without it would never be driven.
    await this.activate(record.id, record.createdAtMs);
    const revision = await this.state.create(keyOf(record.id), encodeJson(record), signal);
    this.#remember(record, revision);
  }

  /** Makes sure that a driver looks at the run, even if one is just about to take its mark away. */
  async activate(runId: string, nowMs: number): Promise<void> {
    const mark = encodeJson({ atMs: nowMs } satisfies ActiveMark);
    // Most runs have none yet.
    for (let entry: StateEntry | undefined; ; entry = await this.state.get(activeKeyOf(runId))) {
      try {
        if (entry) await this.state.update(entry.key, mark, entry.revision);
        else await this.state.create(activeKeyOf(runId), mark);
        return;
      } catch (error) {
        if (!(error instanceof KeyExistsError || error instanceof RevisionMismatchError)) throw error;
      }
    }
  }

  /** The runs that may need a driver. */
  async active(): Promise<ActiveRun[]> {
    const found: ActiveRun[] = [];
    for await (const { key, revision, value } of this.state.list(activeKeyOf(''))) {
      found.push({ id: key.slice(activeKeyOf('').length), revision, ...decodeJson<ActiveMark>(value) });
    }
    return found;
  }

  /** Takes the mark away, unless the run was activated anew. */
  async deactivate({ id, revision }: ActiveRun): Promise<void> {
    try {
      await this.state.delete(activeKeyOf(id), revision);
    } catch (error) {
      if (!(error instanceof RevisionMismatchError)) throw error;
    }
  }

  /**
   * Appends what tells the end of a run that is over, where its driver died between record and event. Any number of
   * processes may do so at once.
   */
  async completeEvents(record: RunRecord): Promise<void> {
    const { id, state, failure, endSequence } = record;
    if (!isOver(state) || endSequence === undefined) return;
    const events = endEvents(state, failure);
    let last = await this.events.lastSequence(id);
    while (last < endSequence) {
      const event = events[events.length - (endSequence - last)];
      // Events before the end are missing as well: a driver that wrote none of them.
      if (!event) return;
      try {
        last = await this.events.append(id, encodeJson(event), last);
      } catch (error) {
        if (!(error instanceof SequenceMismatchError)) throw error;
        last = await this.events.lastSequence(id);
      }
    }
  }

  /** @throws NotFoundError */
  async get(runId: string): Promise<RunRecord> {
    return (await this.#read(runId)).record;
  }

  /** Newest first. */
  async list(): Promise<RunRecord[]> {
    const records: RunRecord[] = [];
    for await (const entry of this.state.list('runs/')) records.push(decodeJson(entry.value));
    return records.sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1));
  }

  /** The record now and after every change, until the signal aborts. */
  async *watch(runId: string, signal: AbortSignal): AsyncIterable<RunRecord> {
    for await (const change of this.state.watchKey(keyOf(runId), signal)) {
      if (change.type !== 'put') continue;
      const { value, revision } = change.entry;
      const written = this.#written.get(runId);
      yield written?.revision === revision ? written.record : decodeJson<RunRecord>(value);
    }
  }

  /**
   * Compare-and-set until it holds. The change may throw to refuse, and returns `undefined` to leave all as it is.
   * @throws NotFoundError
   */
  async change(
    runId: string,
    change: (record: RunRecord) => RunRecord | undefined,
    signal?: AbortSignal,
  ): Promise<RunRecord> {
    // Whoever drives a run is nearly always the last who changed it, and needn't read what it wrote.
    let known = this.#written.get(runId);
    for (;;) {
      const { record, revision: expected } = known ?? (await this.#read(runId));
      const changed = unlessOld(known !== undefined, () => change(record));
      if (changed === 'old') {
        known = undefined;
        continue;
      }
      if (!changed) return record;
      this.#written.delete(runId);
      try {
        const revision = await this.state.update(keyOf(runId), encodeJson(changed), expected, signal);
        this.#remember(changed, revision);
        return changed;
      } catch (error) {
        if (!(error instanceof RevisionMismatchError)) throw error;
        known = undefined;
      }
    }
  }

  #remember(record: RunRecord, revision: number): void {
    if (isOver(record.state)) return;
    this.#written.set(record.id, { record, revision });
    for (const oldest of this.#written.keys()) {
      if (this.#written.size <= MAX_KNOWN_RUNS) break;
      this.#written.delete(oldest);
    }
  }

  async #read(runId: string): Promise<{ record: RunRecord; revision: number }> {
    assertRunId(runId);
    const entry = await this.state.get(keyOf(runId));
    if (!entry) throw runNotFound(runId);
    return { record: decodeJson(entry.value), revision: entry.revision };
  }

  /**
   * Deleting what isn't there is no error.
   * @throws FailedPreconditionError where the run is under way
   * @throws RevisionMismatchError where somebody changed it at the same moment
   */
  async delete(runId: string): Promise<void> {
    const entry = RUN_ID.test(runId) ? await this.state.get(keyOf(runId)) : undefined;
    if (!entry) return;
    if (!isOver(decodeJson<RunRecord>(entry.value).state)) {
      throw new FailedPreconditionError(`run ${runId} is under way: cancel it first`, { code: 'RUN_UNDER_WAY' });
    }
    await this.state.delete(keyOf(runId), entry.revision);
    await this.events.deleteStream(runId);
  }
}

/** Only a write tells whether a record was the newest: to refuse, or to leave it, takes another look. */
function unlessOld(mayBeOld: boolean, change: () => RunRecord | undefined): RunRecord | undefined | 'old' {
  if (!mayBeOld) return change();
  try {
    return change() ?? 'old';
  } catch {
    return 'old';
  }
}

/** @throws NotFoundError where no run can have this id */
export function assertRunId(runId: string): void {
  if (!RUN_ID.test(runId)) throw runNotFound(runId);
}

function runNotFound(runId: string): BbdError {
  return new NotFoundError(`there is no run "${runId}": ListRuns (bbdistill runs) lists them`, {
    code: 'RUN_NOT_FOUND',
  });
}
