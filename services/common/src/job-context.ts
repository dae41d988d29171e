export interface JobProgress {
  /** What is counted: `images`, `epochs`, `steps`. */
  unit: string;
  done: number;
  /** 0 where the total isn't known yet. */
  total: number;
  loss?: number;
  /** Why it stands still, where it has for long; for people. */
  waitsFor?: string;
}

/** What a handler may use while it works. */
export interface JobContext {
  readonly jobId: string;
  readonly attempt: number;
  /** Aborts when the job is cancelled or the worker stops. */
  readonly signal: AbortSignal;
  /** Shows how far the work has got; cheap, written at most twice a second. */
  readonly progress: (progress: JobProgress) => void;
}
