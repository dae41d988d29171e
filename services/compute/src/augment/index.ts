export * from './batch-source.js';
export * from './batch.js';
export { NUMBERS_PER_DRAW } from './image-pipeline.js';
export type { ImagePipeline } from './image-pipeline.js';
export * from './mixer.js';
export * from './source.js';
