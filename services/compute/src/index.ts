export * from './augment/index.js';
export * from './engine.js';
export * from './export/index.js';
export * from './images/index.js';
export * from './metrics/index.js';
