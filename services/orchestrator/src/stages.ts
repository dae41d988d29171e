import { GroupCommit, PROGRESS_INTERVAL_MS, encodeJson } from '@bbdistill/common';
import type { Clock, JobFailure, JobProgress, Outcome } from '@bbdistill/common';
import { FencedError, endEvents } from './run-record.js';
import { countEnd } from './run-telemetry.js';
import type { RunEventBody, RunRecord, RunState, RunStore, StageRecord } from './run-record.js';
import type { Worker } from './scaler/workers.js';

/** How long a driver's word counts without being renewed. */
export const LEASE_MS = 6_000;

/**
 * The only way in which a driver changes its run. Every write carries the epoch, and events the expected sequence:
 * a driver that was frozen and taken over from changes nothing any more.
 */
export class DrivenRun {
  #record: RunRecord;
  #lastSequence: number;
  /** One write at a time, so that events come in the order of the calls. */
  readonly #writes = new GroupCommit<Write>((together) => this.#commit(together));
  #leaseUntilMs = -Infinity;
  #renews = true;

  private constructor(
    private readonly store: RunStore,
    private readonly clock: Clock,
    record: RunRecord,
    readonly epoch: number,
    lastSequence: number,
  ) {
    this.#record = record;
    this.#lastSequence = lastSequence;
  }

  /** Starts driving under the lease that the record holds; the first event shuts out whoever drove before. */
  static async begin(store: RunStore, clock: Clock, record: RunRecord, note: string): Promise<DrivenRun> {
    const lastSequence = await store.events.lastSequence(record.id);
    const run = new DrivenRun(store, clock, record, record.lease?.epoch ?? 0, lastSequence);
    await run.note(note);
    return run;
  }

  get record(): RunRecord {
    return this.#record;
  }

  /** By the monotonic clock: before that, nobody else can have changed anything but a wish to cancel. */
  get leaseUntilMs(): number {
    return this.#leaseUntilMs;
  }

  /** Shows a stage from now on; ends with `done` or `failed`. */
  stage(name: string, progress: JobProgress, worker?: Worker): Stage {
    const former = this.#record.stages.find((other) => other.name === name);
    return new Stage(this, this.clock, {
      name,
      state: 'queued',
      progress,
      reused: false,
      ...timesAfter(former, this.clock.nowMs()),
      ...(worker && { worker }),
    });
  }

  async putStage(stage: StageRecord): Promise<void> {
    await this.#write(
      (record) => {
        const others = record.stages.filter((other) => other.name !== stage.name);
        return { ...record, stages: [...others, stage] };
      },
      [{ stage }],
    );
  }

  /** Remembers jobs that a cancel has to stop. */
  async addJobs(ids: readonly string[]): Promise<void> {
    const joined = (known: readonly string[] = []) => [...new Set([...known, ...ids])];
    await this.#write((record) => ({ ...record, jobs: joined(record.jobs), usedJobs: joined(record.usedJobs) }), []);
  }

  async note(message: string): Promise<void> {
    await this.#write((record) => record, [{ message }]);
  }

  /**
   * Every other write renews it as well.
   * @param signal after its abort a renewal that could not be made yet is given up
   */
  async renewLease(signal?: AbortSignal): Promise<void> {
    await this.#write((record) => record, [], signal);
  }

  /** Lets the next driver have the run: what is yet written renews no lease. */
  giveUp(): void {
    this.#renews = false;
    this.#leaseUntilMs = -Infinity;
  }

  /** Gives the run up and says so in its record, so that the next driver needn't wait for the lease's end. */
  async handOver(message: string): Promise<void> {
    this.giveUp();
    await this.#write(
      (record) => (record.lease ? { ...record, lease: { ...record.lease, expiresAtMs: 0 } } : record),
      [{ message }],
    );
  }

  async end(state: RunState, changes: Partial<RunRecord>, failure?: JobFailure): Promise<void> {
    const events = endEvents(state, failure);
    await this.#write(
      (record, lastSequence) => ({
        ...record,
        ...changes,
        ...(failure && { failure }),
        state,
        jobs: [],
        endSequence: lastSequence + events.length,
        endedAtMs: this.clock.nowMs(),
        lease: { holder: '', epoch: this.epoch, expiresAtMs: 0 },
      }),
      events,
    );
    countEnd(state);
  }

  async #write(change: Write['change'], events: readonly RunEventBody[], signal?: AbortSignal): Promise<void> {
    await this.#writes.submit({ change, events, signal });
  }

  /** A failed write fails its caller; the ones after it fail by themselves. */
  async #commit(together: readonly Write[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = [];
    while (outcomes.length < together.length) {
      try {
        await this.#writeAll(together.slice(outcomes.length), () => outcomes.push({ value: undefined }));
      } catch (error) {
        outcomes.push({ error });
      }
    }
    return outcomes;
  }

  /** @param onTold of each write, once all its events are told */
  async #writeAll(together: readonly Write[], onTold: () => void): Promise<void> {
    let leaseUntilMs = this.#leaseUntilMs;
    // Only a renewal may be given up, and nobody can give up a part of a write.
    const [signal] = together.every((write) => write.signal) ? together.map((write) => write.signal) : [];
    this.#record = await this.store.change(
      this.#record.id,
      (record) => {
        if (record.lease?.epoch !== this.epoch) throw new FencedError(record.id, this.epoch, record.lease);
        let changed = record;
        if (this.#renews) {
          leaseUntilMs = this.clock.monotonicMs() + LEASE_MS;
          changed = { ...record, lease: { ...record.lease, expiresAtMs: this.clock.nowMs() + LEASE_MS } };
        }
        let sequence = this.#lastSequence;
        for (const { change, events } of together) {
          changed = change(changed, sequence);
          sequence += events.length;
        }
        return changed;
      },
      signal,
    );
    if (this.#renews) this.#leaseUntilMs = leaseUntilMs;
    for (const { events } of together) {
      for (const event of events) {
        this.#lastSequence = await this.store.events.append(this.#record.id, encodeJson(event), this.#lastSequence);
      }
      onTold();
    }
  }
}

/** A change of the record, and what is told of it. */
interface Write {
  /** @param lastSequence of the last event before those of this change */
  change: (record: RunRecord, lastSequence: number) => RunRecord;
  events: readonly RunEventBody[];
  signal: AbortSignal | undefined;
}

/** A stage whose driver died in the middle goes on; one that ended begins anew. */
function timesAfter(
  former: StageRecord | undefined,
  nowMs: number,
): Pick<StageRecord, 'startedAtMs' | 'endedAtMs' | 'earlier'> {
  if (former?.startedAtMs === undefined) return { startedAtMs: nowMs };
  const { startedAtMs, endedAtMs, earlier } = former;
  if (endedAtMs === undefined) return { startedAtMs, ...(earlier && { earlier }) };
  return { startedAtMs: nowMs, earlier: [...(earlier ?? []), { startedAtMs, endedAtMs }] };
}

/** One line of a run's progress. */
export class Stage {
  #written: StageRecord;
  #lastWriteMs = -Infinity;
  #busy: Promise<void> | undefined;
  #ended = false;
  /** Once it is told that the stage is there. */
  readonly begun: Promise<void>;

  constructor(
    private readonly run: DrivenRun,
    private readonly clock: Clock,
    public record: StageRecord,
  ) {
    this.#written = record;
    this.begun = this.#put();
  }

  /** Cheap: what is new is written at most twice a second, another state at once. */
  progress(progress: JobProgress, state: 'queued' | 'running'): void {
    this.record = { ...this.record, progress, state };
    this.#write();
  }

  /** Shows why its jobs aren't worked on; `undefined`: they are. */
  waitsFor(reason: string | undefined): void {
    const { waitingFor: _waitingFor, ...rest } = this.record;
    this.record = reason === undefined ? rest : { ...rest, waitingFor: reason };
    this.#write();
  }

  /** Which worker has to be there for it; `undefined`: none, as it waits for what others do. */
  employ(worker: Worker | undefined): void {
    const { worker: _worker, ...rest } = this.record;
    this.record = worker === undefined ? rest : { ...rest, worker };
    this.#write();
  }

  async done(reused: boolean): Promise<void> {
    await this.#end({ state: 'succeeded', reused });
  }

  async failed(state: 'failed' | 'cancelled'): Promise<void> {
    await this.#end({ state });
  }

  #write(): void {
    if (this.#ended || this.#busy) return;
    const changes = (['state', 'waitingFor', 'worker'] as const).some((key) => this.record[key] !== this.#written[key]);
    if (!changes) {
      if (this.clock.monotonicMs() - this.#lastWriteMs < PROGRESS_INTERVAL_MS) return;
      if (isSameProgress(this.record.progress, this.#written.progress)) return;
    }
    this.#lastWriteMs = this.clock.monotonicMs();
    this.#written = this.record;
    void this.#put();
  }

  #put(): Promise<void> {
    const writing = this.run.putStage(this.record);
    // Progress is for show; a run that was taken over notices at its next real write.
    this.#busy = writing
      .catch(() => undefined)
      .finally(() => {
        this.#busy = undefined;
        // The state may have changed meanwhile, and nothing more may come for long.
        this.#write();
      });
    return writing;
  }

  async #end(change: Partial<StageRecord>): Promise<void> {
    this.#ended = true;
    const { progress } = this.record;
    const full = change.state === 'succeeded' && progress ? { progress: { ...progress, done: progress.total } } : {};
    const { waitingFor: _waitingFor, ...rest } = this.record;
    this.record = { ...rest, ...full, ...change, endedAtMs: this.clock.nowMs() };
    await this.run.putStage(this.record);
  }
}

function isSameProgress(one: JobProgress | undefined, other: JobProgress | undefined): boolean {
  return (
    one === other ||
    (['unit', 'done', 'total', 'loss', 'waitsFor'] as const).every((key) => one?.[key] === other?.[key])
  );
}
