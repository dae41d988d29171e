export * from './batch-source.js';
export * from './batch.js';
export * from './mixer.js';
export * from './source.js';
