export { startParallelTraining } from './parallel-training.js';
export { MIN_BATCH_NORM_IMAGES_PER_THREAD, assertThreadsFit } from './thread-limit.js';
export * from './training.js';
