export { demandOf } from './demand.js';
export { DEFAULT_IDLE_MS, DEFAULT_INTERVAL_MS, DEFAULT_MAX_REPLICAS, Scaler } from './scaler.js';
export type { ScalerOptions, WorkerCluster } from './scaler.js';
export { WorkerWaits } from './waits.js';
export { RUN_JOB_KINDS, workerOf } from './workers.js';
export type { Worker } from './workers.js';
