export { startParallelTraining } from './parallel-training.js';
export * from './training.js';
