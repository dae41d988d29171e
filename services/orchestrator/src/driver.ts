import { CancelledError, NotFoundError, asBbdError, isStoreOutage, keepWatching } from '@bbdistill/common';
import type { Clock, JobClient, Logger } from '@bbdistill/common';
import { cancelJobs, driveRun } from './run.js';
import type { RunOutcome, RunSurroundings } from './run.js';
import { FencedError, HandoverError, isOver } from './run-record.js';
import type { ActiveRun, RunRecord, RunState, RunStore } from './run-record.js';
import { driveInTrace } from './run-telemetry.js';
import { checkedSpec } from './spec.js';
import type { CheckedSpec } from './spec.js';
import { DrivenRun, LEASE_MS } from './stages.js';

/** After which a lease that no other write renewed is renewed. */
export const LEASE_RENEWAL_MS = 2_000;
/** How often runs without a driver are looked for; with the lease, a takeover takes less than 10 s. */
export const SCAN_INTERVAL_MS = 2_000;

/** After which a mark without a run was left by a process that died. */
const MARK_WITHOUT_RUN_MS = 600_000;

export interface DriverOptions {
  runs: RunStore;
  surroundings: RunSurroundings;
  jobs: JobClient;
  /** Makes report and artifacts of a finished run, unless the signal aborts. */
  finish: (run: DrivenRun, spec: CheckedSpec, outcome: RunOutcome, signal: AbortSignal) => Promise<Partial<RunRecord>>;
  holder: string;
  clock: Clock;
  logger: Logger;
}

/** Drives runs that nobody drives: one driver a run, by lease and epoch. */
export class RunDriver {
  readonly #stop = new AbortController();
  readonly #driving = new Map<string, Promise<void>>();
  readonly #driven = new Map<string, DrivenRun>();
  #scanning: Promise<void> = Promise.resolve();

  constructor(private readonly options: DriverOptions) {}

  /** Looks for runs without a driver until `stop`. */
  start(): void {
    this.#scanning = this.#scan();
  }

  /** Drives a run now instead of at the next scan; one that was resumed while its last drive comes to an end, after it. */
  wake(runId: string): void {
    Promise.resolve(this.#driving.get(runId))
      .then(() => this.#claim(runId))
      .catch((error: unknown) => this.#report(runId, error));
  }

  /** A run that this process drives and that nobody else can have changed, as it is. */
  recordOf(runId: string): RunRecord | undefined {
    const run = this.#driven.get(runId);
    if (!run || this.options.clock.monotonicMs() >= run.leaseUntilMs) return undefined;
    // Whoever resumes or deletes a run that is over needs no lease.
    return isOver(run.record.state) ? undefined : run.record;
  }

  /** Gives up all runs; another orchestrator, or this one after a restart, goes on with them. */
  async stop(): Promise<void> {
    this.#stop.abort(new HandoverError('the orchestrator stops'));
    await this.#scanning;
    await Promise.all(this.#driving.values());
  }

  async #scan(): Promise<void> {
    const { clock, runs } = this.options;
    while (!this.#stop.signal.aborted) {
      try {
        for (const active of await runs.active()) if (!this.#driving.has(active.id)) await this.#look(active);
      } catch (error) {
        this.#report('', error);
      }
      await clock.sleep(SCAN_INTERVAL_MS, this.#stop.signal).catch(() => undefined);
    }
  }

  /** Claims a run that nobody drives; brings one that is over to its end. */
  async #look(active: ActiveRun): Promise<void> {
    const { runs, clock } = this.options;
    const record = await runs.get(active.id).catch((error: unknown) => {
      if (error instanceof NotFoundError) return undefined;
      throw error;
    });
    if (record && !isOver(record.state)) {
      if (this.#isFree(record)) await this.#claim(record.id);
      return;
    }
    if (record) await runs.completeEvents(record);
    // A mark is older than its run by a moment: who made it may just be about to make the run.
    if (record || clock.nowMs() - active.atMs > MARK_WITHOUT_RUN_MS) await runs.deactivate(active);
  }

  #isFree(record: RunRecord): boolean {
    return !isOver(record.state) && (record.lease?.expiresAtMs ?? 0) <= this.options.clock.nowMs();
  }

  async #claim(runId: string): Promise<void> {
    const { runs, clock, holder } = this.options;
    if (this.#stop.signal.aborted || this.#driving.has(runId)) return;
    let claimed = false;
    const record = await runs.change(runId, (found) => {
      claimed = this.#isFree(found);
      if (!claimed) return undefined;
      const lease = { holder, epoch: (found.lease?.epoch ?? 0) + 1, expiresAtMs: clock.nowMs() + LEASE_MS };
      return { ...found, state: 'running', startedAtMs: found.startedAtMs ?? clock.nowMs(), lease };
    });
    if (!claimed || this.#driving.has(runId)) return;
    const driving = driveInTrace(record, () => this.#drive(record))
      .catch((error: unknown) => this.#report(runId, error))
      .finally(() => this.#driving.delete(runId));
    this.#driving.set(runId, driving);
  }

  async #drive(record: RunRecord): Promise<void> {
    const { runs, surroundings, jobs, clock, holder, logger } = this.options;
    const run = await DrivenRun.begin(runs, clock, record, `driven by ${holder}, epoch ${record.lease?.epoch}`);
    const stop = new AbortController();
    const signal = AbortSignal.any([stop.signal, this.#stop.signal]);
    this.#driven.set(record.id, run);
    const lease = this.#keepLease(run, stop);
    const cancel = this.#watchForCancel(record.id, stop);
    try {
      const spec = checkedSpec(record.spec);
      if (run.record.cancelRequested) throw new CancelledError('the run was cancelled');
      const outcome = await driveRun(spec, run, surroundings, signal);
      await run.end('succeeded', await this.options.finish(run, spec, outcome, signal));
    } catch (thrown) {
      if (thrown instanceof FencedError) {
        logger.warn({ runId: record.id, err: thrown }, 'another orchestrator took the run over');
      } else if (stop.signal.reason instanceof HandoverError || isStoreOutage(thrown)) {
        // The run is not to blame: whoever reaches the stores first goes on with it.
        logger.warn({ runId: record.id, err: thrown }, 'the lease of a run was lost');
      } else if (this.#stop.signal.aborted) {
        await run.handOver('the orchestrator stops; the run goes on with the next one').catch(() => undefined);
      } else {
        await cancelJobs(jobs, run.record.jobs);
        await this.#endBadly(run, thrown);
      }
    } finally {
      this.#driven.delete(record.id);
      stop.abort();
      await Promise.all([lease, cancel]);
    }
  }

  async #endBadly(run: DrivenRun, thrown: unknown): Promise<void> {
    const error = asBbdError(thrown);
    const { cancelRequested } = await this.options.runs.get(run.record.id);
    if (cancelRequested) return run.end('cancelled', {});
    const state: RunState = error.code === 'BUDGET_EXHAUSTED' ? 'budget-exhausted' : 'failed';
    if (error.kind === 'internal') this.#report(run.record.id, error);
    await run.end(state, {}, { code: error.code, message: error.message, retryable: error.retryable });
  }

  /** Renews the lease, and stops the work the moment it isn't valid any more: a renewal under way may take longer. */
  async #keepLease(run: DrivenRun, stop: AbortController): Promise<void> {
    const { clock, logger } = this.options;
    const giveUp = () => {
      if (stop.signal.aborted) return;
      run.giveUp();
      stop.abort(new HandoverError('the lease of the run was lost'));
    };
    const until = async (momentMs: () => number) => {
      while (!stop.signal.aborted && clock.monotonicMs() < momentMs()) {
        await clock.sleep(momentMs() - clock.monotonicMs(), stop.signal).catch(() => undefined);
      }
    };
    const watching = until(() => run.leaseUntilMs).then(giveUp);
    let triedAtMs = -Infinity;
    for (;;) {
      await until(() => Math.max(run.leaseUntilMs - LEASE_MS, triedAtMs) + LEASE_RENEWAL_MS);
      if (stop.signal.aborted) break;
      triedAtMs = clock.monotonicMs();
      try {
        await run.renewLease(stop.signal);
      } catch (error) {
        logger.warn({ runId: run.record.id, err: error }, 'the lease of a run could not be renewed');
        if (error instanceof FencedError) giveUp();
      }
    }
    await watching;
  }

  async #watchForCancel(runId: string, stop: AbortController): Promise<void> {
    const { runs, clock, logger } = this.options;
    await keepWatching({
      open: () => runs.watch(runId, stop.signal),
      onChange: (record) => {
        if (record.cancelRequested) stop.abort();
      },
      onFailure: (error) => logger.warn({ runId, err: error }, 'the watch for a cancel broke off: it is opened anew'),
      clock,
      signal: stop.signal,
    });
  }

  #report(runId: string, thrown: unknown): void {
    if (this.#stop.signal.aborted && thrown instanceof CancelledError) return;
    this.options.logger.error({ runId, err: thrown }, 'a run could not be driven');
  }
}
