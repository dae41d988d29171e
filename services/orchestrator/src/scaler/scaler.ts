import { CancelledError, asBbdError } from '@bbdistill/common';
import type { Clock, Logger } from '@bbdistill/common';
import { evictionOf, whyWaiting } from './pods.js';
import type { PodView } from './pods.js';
import type { WorkerWaits } from './waits.js';
import { WORKERS } from './workers.js';
import type { Worker } from './workers.js';

export const DEFAULT_IDLE_MS = 300_000;
export const DEFAULT_INTERVAL_MS = 5_000;
export const DEFAULT_MAX_REPLICAS = 1;
/** Code of the error that says so. */
export const SCALED_MEANWHILE = 'SCALED_MEANWHILE';

/** What a worker has to do. */
export interface Demand {
  /** Jobs of runs that wait or are worked on. */
  jobs: number;
  /** Jobs in the queue that nobody has acknowledged, those included that no run asked for. */
  unacknowledged: number;
}

/** How many pods a worker is to have. `revision` makes a change fail that somebody else was faster with. */
export interface Scale {
  replicas: number;
  revision: string;
  /** What its pods are found by. */
  selector: string;
}

/** The cluster that runs the workers. All methods may fail, and be slow. */
export interface WorkerCluster {
  /** @throws UnavailableError, FailedPreconditionError (not allowed, not there) */
  scaleOf(worker: Worker): Promise<Scale>;
  /** @throws ConflictError (SCALED_MEANWHILE) where somebody else was faster */
  setReplicas(worker: Worker, scale: Scale, replicas: number): Promise<void>;
  podsOf(worker: Worker, scale: Scale): Promise<PodView[]>;
  /** What the cluster warned of when it made pods of the worker, newest last. */
  warningsOf(worker: Worker): Promise<string[]>;
}

export interface ScalerOptions {
  cluster: WorkerCluster;
  demandOf: (worker: Worker) => Promise<Demand>;
  waits: WorkerWaits;
  clock: Clock;
  logger: Logger;
  /** How long a worker may have nothing to do before its pods go. Default {@link DEFAULT_IDLE_MS}. */
  idleMs?: number;
  /** Default {@link DEFAULT_INTERVAL_MS}. */
  intervalMs?: number;
  /** Pods of a worker at most. Default {@link DEFAULT_MAX_REPLICAS}. */
  maxReplicas?: number;
}

/**
 * How many pods a worker should have: as many as it has jobs, up to the maximum; never fewer while it has something to
 * do, because nobody chooses which pod a smaller number ends; none after the idle time.
 */
export function wantedReplicas(
  now: { replicas: number; demand: Demand; idleForMs: number },
  limits: { maxReplicas: number; idleMs: number },
): number {
  const { replicas, demand, idleForMs } = now;
  if (demand.jobs > 0) return Math.max(replicas, Math.min(demand.jobs, limits.maxReplicas));
  if (replicas === 0 || demand.unacknowledged > 0 || idleForMs < limits.idleMs) return replicas;
  return 0;
}

/**
 * Gives workers pods while jobs wait or run and takes them away when they have been idle; says why a pod waits. Any
 * number of orchestrators may do so at once: they see the same jobs and come to the same numbers.
 */
export class Scaler {
  readonly #stop = new AbortController();
  readonly #idleSinceMs = new Map<Worker, number>();
  readonly #evictionsTold = new Map<Worker, Set<string>>();
  readonly #faults = new Map<Worker, string>();
  #looping: Promise<void> = Promise.resolve();

  constructor(private readonly options: ScalerOptions) {}

  start(): void {
    this.#looping = this.#loop();
  }

  /** Leaves the pods as they are: jobs may run in them. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#looping;
  }

  /** Looks at jobs and pods once. Never fails: what is wrong is logged, shown in the runs, and tried again. */
  async look(): Promise<void> {
    for (const worker of WORKERS) {
      try {
        await this.#lookAt(worker);
        if (this.#faults.delete(worker)) this.options.logger.info({ worker }, 'the worker can be scaled again');
      } catch (thrown) {
        this.#report(worker, thrown);
      }
    }
  }

  async #loop(): Promise<void> {
    const { clock, intervalMs = DEFAULT_INTERVAL_MS } = this.options;
    while (!this.#stop.signal.aborted) {
      await this.look();
      await clock.sleep(intervalMs, this.#stop.signal).catch(() => undefined);
    }
  }

  async #lookAt(worker: Worker): Promise<void> {
    const { cluster, waits, clock, logger } = this.options;
    const { maxReplicas = DEFAULT_MAX_REPLICAS, idleMs = DEFAULT_IDLE_MS } = this.options;
    const scale = await cluster.scaleOf(worker);
    const demand = await this.#demandOf(worker, scale);
    const nowMs = clock.monotonicMs();
    const isIdle = demand.jobs === 0 && demand.unacknowledged === 0;
    // An orchestrator that has just started knows nothing of the time before.
    const idleSinceMs = isIdle ? (this.#idleSinceMs.get(worker) ?? nowMs) : nowMs;
    this.#idleSinceMs.set(worker, idleSinceMs);

    const { replicas } = scale;
    const wanted = wantedReplicas({ replicas, demand, idleForMs: nowMs - idleSinceMs }, { maxReplicas, idleMs });
    if (wanted !== replicas) {
      await cluster.setReplicas(worker, scale, wanted);
      logger.info({ worker, from: replicas, to: wanted, jobs: demand.jobs }, 'scaled a worker');
    }
    if (demand.jobs === 0) return waits.set(worker, undefined);
    const pods = await cluster.podsOf(worker, scale);
    const warnings = pods.length === 0 ? await cluster.warningsOf(worker) : [];
    waits.set(worker, whyWaiting(pods, warnings));
    this.#tellEvictions(worker, pods);
  }

  /**
   * What runs that were cancelled have left in the queue is taken out by a pod that works; one that finds no node or no
   * image isn't kept for that.
   */
  async #demandOf(worker: Worker, scale: Scale): Promise<Demand> {
    const demand = await this.options.demandOf(worker);
    if (demand.jobs > 0 || demand.unacknowledged === 0 || scale.replicas === 0) return demand;
    const pods = await this.options.cluster.podsOf(worker, scale);
    return pods.some(({ isReady }) => isReady) ? demand : { ...demand, unacknowledged: 0 };
  }

  #tellEvictions(worker: Worker, pods: readonly PodView[]): void {
    const told = this.#evictionsTold.get(worker) ?? new Set();
    for (const pod of pods) {
      const eviction = evictionOf(pod);
      if (eviction !== undefined && !told.has(pod.uid)) this.options.waits.notice(worker, `${worker}: ${eviction}`);
    }
    // What is gone from the cluster need not be remembered.
    this.#evictionsTold.set(worker, new Set(pods.filter((pod) => evictionOf(pod) !== undefined).map(({ uid }) => uid)));
  }

  #report(worker: Worker, thrown: unknown): void {
    if (this.#stop.signal.aborted && thrown instanceof CancelledError) return;
    const error = asBbdError(thrown);
    // Somebody else scaled first: the next look sees what came of it.
    if (error.code === SCALED_MEANWHILE) return;
    if (this.#faults.get(worker) !== error.message) {
      this.options.logger.warn({ worker, err: error, code: error.code }, 'a worker could not be scaled');
    }
    this.#faults.set(worker, error.message);
    this.options.waits.set(worker, error.message);
  }
}
