import { NotFoundError } from '../errors.js';
import type { Job } from '../gen/bbdistill/v1/Job.js';
import type { JobRequest__Output } from '../gen/bbdistill/v1/JobRequest.js';
import type { JobState as WireJobState } from '../gen/bbdistill/v1/JobState.js';
import type { JobClient, JobRecord, JobState } from '../jobs.js';
import type { CallContext } from './handlers.js';

const WIRE_STATES: Record<JobState, WireJobState> = {
  queued: 'JOB_STATE_QUEUED',
  running: 'JOB_STATE_RUNNING',
  succeeded: 'JOB_STATE_SUCCEEDED',
  failed: 'JOB_STATE_FAILED',
  cancelled: 'JOB_STATE_CANCELLED',
};

/** A job as it travels. */
export function jobToMessage(record: JobRecord): Job {
  return {
    id: record.id,
    kind: record.kind,
    state: WIRE_STATES[record.state],
    progress: record.progress ?? null,
    failure: record.failure ?? null,
    resultJson: record.state === 'succeeded' ? JSON.stringify(record.result) : '',
    attempts: record.attempts,
    queuedAtMs: record.queuedAtMs,
    startedAtMs: record.startedAtMs ?? 0,
    endedAtMs: record.endedAtMs ?? 0,
  };
}

/**
 * GetJob, WatchJob and CancelJob, which every service with queued work offers for the jobs of its kinds.
 */
export function jobMethods(jobs: JobClient, kinds: readonly string[]) {
  const find = async (id: string): Promise<JobRecord> => {
    const record = await jobs.get(id);
    if (kinds.includes(record.kind)) return record;
    throw new NotFoundError(`job ${id} is of kind ${record.kind}, which another service knows about`, {
      code: 'JOB_NOT_FOUND',
    });
  };
  return {
    GetJob: async ({ id }: JobRequest__Output): Promise<Job> => jobToMessage(await find(id)),
    CancelJob: async ({ id }: JobRequest__Output): Promise<Job> => {
      await find(id);
      return jobToMessage(await jobs.cancel(id));
    },
    async *WatchJob({ id }: JobRequest__Output, context: CallContext): AsyncGenerator<Job, void, undefined> {
      await find(id);
      for await (const record of jobs.watch(id, context.signal)) yield jobToMessage(record);
    },
  };
}
