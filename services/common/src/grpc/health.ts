import type * as grpc from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import type { Clock } from '../clock.js';
import type { Logger } from '../logger.js';
import type { StoreHealth } from '../stores/stores.js';

/** A loop that is silent for longer, while the link is there, brings nothing any more. */
export const MAX_LOOP_AGE_MS = 30_000;
/** Nothing but a new process helps a loop that is silent for so long. */
export const DEAD_LOOP_AGE_MS = 300_000;
/** Says whether the process is worth keeping: a store that is away is no reason to start it anew. */
export const LIVENESS = 'liveness';
const LOOK_INTERVAL_MS = 1_000;

export interface HealthOptions {
  names: readonly string[];
  /** How the link to the stores does; absent: there is none that could be lost. */
  storeHealth: (() => StoreHealth) | undefined;
  clock: Clock;
  logger: Logger;
}

/**
 * What the gRPC health service says: each service, and the empty name, whether calls can be carried out now; `liveness`
 * whether the process is worth keeping.
 */
export class ServerHealth {
  readonly #stop = new AbortController();
  readonly #health: HealthImplementation;
  #ready = true;

  constructor(private readonly options: HealthOptions) {
    const all = ['', ...options.names, LIVENESS].map((name) => [name, 'SERVING'] as const);
    this.#health = new HealthImplementation(Object.fromEntries(all));
    if (options.storeHealth) void this.#watch(options.storeHealth);
  }

  addTo(server: grpc.Server): void {
    this.#health.addToServer(server);
  }

  /** The server takes no calls any more. */
  stop(): void {
    this.#stop.abort();
    this.#setReady('NOT_SERVING');
  }

  async #watch(storeHealth: () => StoreHealth): Promise<void> {
    const { clock, logger } = this.options;
    while (!this.#stop.signal.aborted) {
      const { connected, oldestLoop } = storeHealth();
      const ageMs = oldestLoop?.ageMs ?? 0;
      const ready = connected && ageMs <= MAX_LOOP_AGE_MS;
      if (ready !== this.#ready) {
        this.#ready = ready;
        this.#setReady(ready ? 'SERVING' : 'NOT_SERVING');
        if (ready) logger.info({ oldestLoop }, 'the stores are there again: ready');
        else logger.warn({ connected, oldestLoop }, 'not ready: the stores are away');
      }
      const alive = !connected || ageMs <= DEAD_LOOP_AGE_MS;
      this.#health.setStatus(LIVENESS, alive ? 'SERVING' : 'NOT_SERVING');
      await clock.sleep(LOOK_INTERVAL_MS, this.#stop.signal).catch(() => undefined);
    }
  }

  #setReady(status: 'SERVING' | 'NOT_SERVING'): void {
    for (const name of ['', ...this.options.names]) this.#health.setStatus(name, status);
  }
}
