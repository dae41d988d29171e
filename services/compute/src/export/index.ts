export * from './onnx.js';
export * from './soft-labels.js';
export * from './tfjs.js';
export * from './weights.js';
