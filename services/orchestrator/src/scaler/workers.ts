/** The services that compute, which a cluster runs only while they have something to do. */
export const WORKERS = ['synthesis', 'student-trainer'] as const;
export type Worker = (typeof WORKERS)[number];

const WORKER_OF_KIND: Readonly<Record<string, Worker>> = {
  mix: 'synthesis',
  fit: 'synthesis',
  generate: 'synthesis',
  train: 'student-trainer',
  evaluate: 'student-trainer',
  export: 'student-trainer',
};

/** All kinds of jobs that runs have. */
export const RUN_JOB_KINDS: readonly string[] = ['label', ...Object.keys(WORKER_OF_KIND)];

/** Who works on jobs of a kind; `undefined` where it is no worker that comes and goes (the teacher-proxy). */
export function workerOf(kind: string): Worker | undefined {
  return WORKER_OF_KIND[kind];
}

/** The kinds of jobs of a worker. */
export function kindsOf(worker: Worker): string[] {
  return Object.keys(WORKER_OF_KIND).filter((kind) => WORKER_OF_KIND[kind] === worker);
}
