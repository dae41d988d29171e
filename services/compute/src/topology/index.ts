export { TopologyLayerError } from './keras-config.js';
export { KERAS_LAYERS } from './keras-layers.js';
export * from './topology.js';
