import { pixelsPerImage } from '@bbdistill/common/base';
import type { ShapedLayer } from '../../network-shapes.js';

const MAX_IMAGES = 256;
/** What the outputs of all layers may take: TensorFlow.js keeps them until the prediction ends. */
const MAX_BYTES = 2 * 1024 ** 3;
/** A float of an output, and one of what it was made by. */
const BYTES_PER_VALUE = 8;

/** Images that are predicted at once, whatever the training's batch is: fewer where they are large. */
export function predictionChunk(layers: readonly ShapedLayer[]): number {
  const values = layers.reduce((sum, { output }) => sum + pixelsPerImage(output), 0);
  return Math.max(1, Math.min(MAX_IMAGES, Math.floor(MAX_BYTES / (BYTES_PER_VALUE * values))));
}
