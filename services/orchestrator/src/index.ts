export { GARBAGE_SETTINGS } from './config.js';
export { interruptOrphanedRuns } from './interrupt.js';
export { MAX_SAMPLES_PER_KIND, drawSamples, renderTable as reportTable } from './report/index.js';
export type { Report } from './report/index.js';
export { startOrchestrator } from './server.js';
export type { OrchestratorOptions, RunningOrchestrator } from './server.js';
export { orchestratorProgram } from './program.js';
