import type { Worker } from './workers.js';

/** Told of what keeps a worker from working. */
export interface WaitListener {
  /** Why it waits; `undefined`: it doesn't. Called at once with what is known. */
  onReason(reason: string | undefined): void;
  /** What happened, once: a pod that was evicted. */
  onNotice(notice: string): void;
}

/** What is known of the workers, between whoever looks at the cluster and the runs that show it. */
export class WorkerWaits {
  readonly #reasons = new Map<Worker, string>();
  readonly #listeners = new Map<Worker, Set<WaitListener>>();

  /** @returns ends it */
  listen(worker: Worker, listener: WaitListener): () => void {
    const listeners = this.#listeners.get(worker) ?? new Set();
    this.#listeners.set(worker, listeners);
    listeners.add(listener);
    listener.onReason(this.#reasons.get(worker));
    return () => listeners.delete(listener);
  }

  set(worker: Worker, reason: string | undefined): void {
    if (this.#reasons.get(worker) === reason) return;
    if (reason === undefined) this.#reasons.delete(worker);
    else this.#reasons.set(worker, reason);
    for (const listener of this.#listeners.get(worker) ?? []) listener.onReason(reason);
  }

  notice(worker: Worker, notice: string): void {
    for (const listener of this.#listeners.get(worker) ?? []) listener.onNotice(notice);
  }
}
