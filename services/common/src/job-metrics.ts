import type { Attributes } from '@opentelemetry/api';
import type { Clock } from './clock.js';
import { asBbdError } from './errors.js';
import type { JobContext, JobProgress } from './job-context.js';
import type { Delivery, WorkQueue } from './stores/work-queue.js';
import { counter, gauge, histogram, inSpan, observe, upDownCounter } from './telemetry.js';

const MS_PER_SECOND = 1_000;
const BUCKETS_SECONDS = [0.1, 0.5, 1, 5, 15, 60, 300, 900, 3600, 14_400];

const seconds = histogram('bbdistill_job_seconds', {
  description: 'jobs worked on, by kind and outcome: how many and how long',
  bounds: BUCKETS_SECONDS,
});
const running = upDownCounter('bbdistill_jobs_running', { description: 'jobs in hand, by kind' });
const progressed = counter('bbdistill_job_progress_total', {
  description: 'what jobs have got done, by kind and unit: images, epochs, steps',
});
const loss = gauge('bbdistill_job_loss', { description: 'the latest loss of a training or a fit, by kind' });

/** Works on a job as a part of the trace that queued it, and counts what it does. */
export async function measuredJob<T>(
  { message: { kind, trace }, attempt }: Delivery,
  context: JobContext,
  clock: Clock,
  work: (context: JobContext) => Promise<T>,
): Promise<T> {
  const startedMs = clock.monotonicMs();
  const labels: Attributes = { kind };
  running().add(1, labels);
  let outcome = 'succeeded';
  try {
    const attributes = { 'bbdistill.job': context.jobId, 'bbdistill.attempt': attempt };
    return await inSpan(`job ${kind}`, { attributes, parent: trace }, () =>
      work({ ...context, progress: countedProgress(kind, context.progress) }),
    );
  } catch (thrown) {
    outcome = context.signal.aborted ? 'stopped' : asBbdError(thrown).code;
    throw thrown;
  } finally {
    running().add(-1, labels);
    seconds().record((clock.monotonicMs() - startedMs) / MS_PER_SECOND, { kind, outcome });
  }
}

function countedProgress(kind: string, report: (progress: JobProgress) => void): (progress: JobProgress) => void {
  let last: number | undefined;
  return (progress) => {
    // What is there at the first report was done by an earlier attempt, or is nothing.
    const more = progress.done - (last ?? progress.done);
    last = progress.done;
    if (more > 0) progressed().add(more, { kind, unit: progress.unit });
    if (progress.loss !== undefined) loss().record(progress.loss, { kind });
    report(progress);
  };
}

/** Shows how many jobs of these kinds wait for a worker. @returns stops it */
export function observeWaitingJobs(queue: WorkQueue, kinds: readonly string[]): () => void {
  const description = 'jobs that nobody works on yet, by kind; every process that shows it sees the same';
  return observe('bbdistill_jobs_waiting', { description }, () =>
    Promise.all(kinds.map(async (kind) => ({ value: await queue.waiting(kind), attributes: { kind } }))),
  );
}
