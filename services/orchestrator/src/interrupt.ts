import { JobClient } from '@bbdistill/common';
import type { Clock, Stores } from '@bbdistill/common';
import { RunStore, isOver } from './run-record.js';
import type { StageRecord } from './run-record.js';
import { cancelJobs } from './run.js';
import { DrivenRun } from './stages.js';

/**
 * Ends the runs that a process left in the middle, so that they wait for `ResumeRun`. For one process on one machine,
 * whose restart must not spend money by itself; to be called while it holds the state folder alone and before any
 * worker takes a job. In a cluster, where another orchestrator goes on, nobody calls it.
 * @returns the ids of the interrupted runs
 */
export async function interruptOrphanedRuns(stores: Stores, clock: Clock): Promise<string[]> {
  const runs = new RunStore(stores.state, stores.events);
  const jobs = new JobClient(stores, clock);
  const interrupted: string[] = [];
  for (const orphan of await runs.list()) {
    if (isOver(orphan.state)) continue;
    await cancelJobs(jobs, orphan.jobs);
    const epoch = (orphan.lease?.epoch ?? 0) + 1;
    const nowMs = clock.nowMs();
    // What died with its process, no later than this, did nothing since.
    const diedAtMs = Math.min(nowMs, orphan.lease?.expiresAtMs ?? nowMs);
    const record = await runs.change(orphan.id, (found) => ({
      ...found,
      stages: found.stages.map((stage) => endedBy(diedAtMs, stage)),
      idleMs: (found.idleMs ?? 0) + nowMs - diedAtMs,
      lease: { holder: 'interrupt', epoch, expiresAtMs: 0 },
    }));
    const run = await DrivenRun.begin(runs, clock, record, 'the process that drove the run has ended');
    if (orphan.cancelRequested) await run.end('cancelled', {});
    else {
      const message =
        'the process that drove the run ended in the middle: everything paid for is kept, resume the run to go on';
      await run.end('failed', {}, { code: 'INTERRUPTED', message, retryable: true });
      interrupted.push(orphan.id);
    }
  }
  return interrupted;
}

function endedBy(diedAtMs: number, stage: StageRecord): StageRecord {
  if (stage.endedAtMs !== undefined || stage.startedAtMs === undefined) return stage;
  return { ...stage, state: 'failed', endedAtMs: Math.max(diedAtMs, stage.startedAtMs) };
}
