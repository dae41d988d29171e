import type { JobFailure, JobProgress, JobState, LoggedEvent } from '@bbdistill/common';
import { decodeJson, isEnded } from '@bbdistill/common';
import type { Failure } from '@bbdistill/common/gen/bbdistill/v1/Failure.js';
import type { JobState as WireJobState } from '@bbdistill/common/gen/bbdistill/v1/JobState.js';
import type { Progress } from '@bbdistill/common/gen/bbdistill/v1/Progress.js';
import type { Run } from '@bbdistill/common/gen/bbdistill/v1/Run.js';
import type { RunEvent } from '@bbdistill/common/gen/bbdistill/v1/RunEvent.js';
import type { RunState as WireRunState } from '@bbdistill/common/gen/bbdistill/v1/RunState.js';
import type { StageStatus } from '@bbdistill/common/gen/bbdistill/v1/StageStatus.js';
import type { RunEventBody, RunRecord, RunState, StageRecord } from './run-record.js';

const RUN_STATES: Record<RunState, WireRunState> = {
  pending: 'RUN_STATE_PENDING',
  running: 'RUN_STATE_RUNNING',
  succeeded: 'RUN_STATE_SUCCEEDED',
  failed: 'RUN_STATE_FAILED',
  cancelled: 'RUN_STATE_CANCELLED',
  'budget-exhausted': 'RUN_STATE_BUDGET_EXHAUSTED',
};

const JOB_STATES: Record<JobState, WireJobState> = {
  queued: 'JOB_STATE_QUEUED',
  running: 'JOB_STATE_RUNNING',
  succeeded: 'JOB_STATE_SUCCEEDED',
  failed: 'JOB_STATE_FAILED',
  cancelled: 'JOB_STATE_CANCELLED',
};

export function runToWire(record: RunRecord): Run {
  return {
    id: record.id,
    spec: record.spec,
    state: RUN_STATES[record.state],
    failure: record.failure ? failureToWire(record.failure) : null,
    stages: record.stages.map(stageToWire),
    artifacts: record.artifacts,
    createdAtMs: record.createdAtMs,
    startedAtMs: record.startedAtMs ?? 0,
    endedAtMs: record.endedAtMs ?? 0,
    driver: record.lease?.holder ?? '',
    epoch: record.lease?.epoch ?? 0,
    // Read from its file where one run is asked for.
    reportJson: '',
  };
}

/** Of a list of runs: below what a message may have. */
const MAX_LIST_BYTES = 3 * 1024 * 1024;

/** Without the topologies of their students, which may be large; no more runs than a message carries. */
export function runsToWire(records: readonly RunRecord[]): Run[] {
  const runs: Run[] = [];
  let bytes = 0;
  for (const record of records) {
    const { student } = record.spec;
    const spec = { ...record.spec, student: student && { ...student, topology: '' } };
    const run = runToWire({ ...record, spec });
    // As JSON it is longer than on the wire.
    bytes += Buffer.byteLength(JSON.stringify(run));
    if (runs.length > 0 && bytes > MAX_LIST_BYTES) break;
    runs.push(run);
  }
  return runs;
}

export function eventToWire(event: LoggedEvent): RunEvent {
  const body = decodeJson<RunEventBody>(event.value);
  const head = { sequence: event.sequence, atMs: event.atMs };
  if ('stage' in body) return { ...head, stage: stageToWire(body.stage), event: 'stage' };
  if ('state' in body) return { ...head, state: RUN_STATES[body.state], event: 'state' };
  if ('failure' in body) return { ...head, failure: failureToWire(body.failure), event: 'failure' };
  return { ...head, message: body.message, event: 'message' };
}

function stageToWire(stage: StageRecord): StageStatus {
  return {
    name: stage.name,
    state: JOB_STATES[stage.state],
    progress: stage.progress ? progressToWire(stage.progress) : null,
    reused: stage.reused,
    startedAtMs: stage.startedAtMs ?? 0,
    endedAtMs: stage.endedAtMs ?? 0,
    waitingFor: stage.waitingFor ?? (isEnded(stage.state) ? '' : (stage.progress?.waitsFor ?? '')),
  };
}

function progressToWire(progress: JobProgress): Progress {
  const { unit, done, total, loss } = progress;
  return loss === undefined ? { unit, done, total } : { unit, done, total, loss };
}

function failureToWire(failure: JobFailure): Failure {
  return { code: failure.code, message: failure.message, retryable: failure.retryable };
}
