import type { WorkQueue } from '@bbdistill/common';
import { isOver } from '../run-record.js';
import type { RunStore } from '../run-record.js';
import type { Demand } from './scaler.js';
import { kindsOf } from './workers.js';
import type { Worker } from './workers.js';

/** What the runs that are under way, and the queue, have for a worker to do. */
export async function demandOf(worker: Worker, runs: RunStore, queue: WorkQueue): Promise<Demand> {
  const records = await runs.list();
  const stages = records.filter(({ state }) => !isOver(state)).flatMap((record) => record.stages);
  const jobs = stages.filter((stage) => stage.worker === worker && ['queued', 'running'].includes(stage.state)).length;
  const counts = await Promise.all(kindsOf(worker).map((kind) => queue.unacknowledged(kind)));
  return { jobs, unacknowledged: counts.reduce((sum, count) => sum + count, 0) };
}
