export { interruptOrphanedRuns } from './interrupt.js';
export { startOrchestrator } from './server.js';
export type { OrchestratorOptions, RunningOrchestrator } from './server.js';
