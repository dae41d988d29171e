export const CASES = ['lenet5', 'lenet5-half', 'cvae'] as const;
export type Case = (typeof CASES)[number];

/** What one turn took. */
export interface Stint {
  steps: number;
  cpuSeconds: number;
  wallSeconds: number;
}

/** An engine of ours or a peer, on a number of threads. */
export interface Contestant {
  engine: string;
  threads: number;
  isPeer: boolean;
  /** Trains for about so many seconds of CPU; the first turn of a case warms up before it counts. */
  run(name: Case, seconds: number): Promise<Stint>;
  stop(): Promise<void>;
}
