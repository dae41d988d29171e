import {
  FailedPreconditionError,
  NotFoundError,
  RevisionMismatchError,
  decodeJson,
  encodeJson,
} from '@bbdistill/common';
import type { BbdError, EventLog, JobFailure, JobProgress, JobState, StateStore } from '@bbdistill/common';
import type { ExportedFile__Output } from '@bbdistill/common/gen/bbdistill/v1/ExportedFile.js';
import type { RunSpec__Output } from '@bbdistill/common/gen/bbdistill/v1/RunSpec.js';

export type RunState = 'pending' | 'running' | 'succeeded' | 'failed' | 'cancelled' | 'budget-exhausted';

export interface StageRecord {
  name: string;
  state: JobState;
  progress?: JobProgress;
  /** Taken from an earlier run with the same inputs. */
  reused: boolean;
  startedAtMs?: number;
  endedAtMs?: number;
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
  artifacts: ExportedFile__Output[];
  reportJson?: string;
  createdAtMs: number;
  startedAtMs?: number;
  endedAtMs?: number;
  lease?: DriverLease;
  cancelRequested: boolean;
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

const keyOf = (runId: string) => `runs/${runId}`;

export function isOver(state: RunState): boolean {
  return state !== 'pending' && state !== 'running';
}

/** The run records and their event streams. */
export class RunStore {
  constructor(
    private readonly state: StateStore,
    readonly events: EventLog,
  ) {}

  /** @throws KeyExistsError */
  async create(record: RunRecord): Promise<void> {
    await this.state.create(keyOf(record.id), encodeJson(record));
  }

  /** @throws NotFoundError */
  async get(runId: string): Promise<RunRecord> {
    const entry = await this.state.get(keyOf(runId));
    if (!entry) throw runNotFound(runId);
    return decodeJson(entry.value);
  }

  /** Newest first. */
  async list(): Promise<RunRecord[]> {
    const records: RunRecord[] = [];
    for await (const entry of this.state.list('runs/')) records.push(decodeJson(entry.value));
    return records.sort((a, b) => b.createdAtMs - a.createdAtMs || (a.id < b.id ? 1 : -1));
  }

  /** The record now and after every change, until the signal aborts. */
  async *watch(runId: string, signal: AbortSignal): AsyncIterable<RunRecord> {
    for await (const change of this.state.watch(keyOf(runId), signal)) {
      if (change.type === 'put' && change.entry.key === keyOf(runId)) yield decodeJson(change.entry.value);
    }
  }

  /**
   * Compare-and-set until it holds. The change may throw to refuse, and returns `undefined` to leave all as it is.
   * @throws NotFoundError
   */
  async change(runId: string, change: (record: RunRecord) => RunRecord | undefined): Promise<RunRecord> {
    for (;;) {
      const entry = await this.state.get(keyOf(runId));
      if (!entry) throw runNotFound(runId);
      const record = decodeJson<RunRecord>(entry.value);
      const changed = change(record);
      if (!changed) return record;
      try {
        await this.state.update(keyOf(runId), encodeJson(changed), entry.revision);
        return changed;
      } catch (error) {
        if (!(error instanceof RevisionMismatchError)) throw error;
      }
    }
  }

  async delete(runId: string): Promise<void> {
    const entry = await this.state.get(keyOf(runId));
    if (!entry) return;
    await this.state.delete(keyOf(runId), entry.revision);
    await this.events.deleteStream(runId);
  }
}

function runNotFound(runId: string): BbdError {
  return new NotFoundError(`there is no run "${runId}": list the runs to see their ids`, { code: 'RUN_NOT_FOUND' });
}
