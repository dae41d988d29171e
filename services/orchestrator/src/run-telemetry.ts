import { counter, inSpan, traceCarrier, upDownCounter } from '@bbdistill/common';
import type { TraceCarrier } from '@bbdistill/common';
import type { RunRecord, RunState } from './run-record.js';

const driven = upDownCounter('bbdistill_runs_driven', { description: 'runs that this orchestrator drives' });
const ended = counter('bbdistill_runs_ended_total', { description: 'runs that came to an end, by state' });

/** What of the caller's trace a new run keeps, so that whoever drives it goes on with the same trace. */
export function traceOfCreation(): { trace?: TraceCarrier } {
  const trace = traceCarrier();
  return Object.keys(trace).length > 0 ? { trace } : {};
}

/** A run is one trace, however many orchestrators drive it one after another. */
export async function driveInTrace<T>({ id, trace, lease }: RunRecord, work: () => Promise<T>): Promise<T> {
  driven().add(1);
  try {
    const attributes = { 'bbdistill.run': id, 'bbdistill.epoch': lease?.epoch ?? 0 };
    return await inSpan('run', { attributes, parent: trace }, work);
  } finally {
    driven().add(-1);
  }
}

export function stageInTrace<T>(stage: string, runId: string, work: () => Promise<T>): Promise<T> {
  return inSpan(`stage ${stage}`, { attributes: { 'bbdistill.run': runId } }, work);
}

/** From 0 on, so that whoever looks for changes sees the first end as well. */
export function showRunEnds(): void {
  for (const state of ['succeeded', 'failed', 'cancelled', 'budget-exhausted'] as const) ended().add(0, { state });
}

export function countEnd(state: RunState): void {
  ended().add(1, { state });
}
