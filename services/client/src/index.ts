export { DistillationClient, connectDistillation } from './client.js';
export type { DistillationConnection } from './client.js';
export { UnsafeArtifactPathError, downloadArtifact, downloadArtifacts } from './download.js';
export { uploadImages } from './upload.js';
export type { ImagesToUpload } from './upload.js';
export { followRun, isOver, watchRun } from './watch.js';
export type { WatchOptions } from './watch.js';
export type { Orchestrator } from './orchestrator.js';
