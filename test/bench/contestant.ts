export const CASES = ['lenet5', 'lenet5-half', 'cvae', 'alexnet-half', 'resnet20'] as const;
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
  /**
   * Trains for about so many seconds of CPU; the first turn of a case warms up before it counts.
   * @returns undefined where it has no such network
   */
  run(name: Case, seconds: number): Promise<Stint | undefined>;
  stop(): Promise<void>;
}
