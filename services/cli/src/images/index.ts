export { FASHION_MNIST_CLASSES, FASHION_MNIST_DIR, fashionMnist, packagedDataset } from './datasets.js';
export type { FashionMnist } from './datasets.js';
export { describeImages } from './describe.js';
export type { ImagesDescription } from './describe.js';
export { holdOut } from './hold-out.js';
export { readLabelsFile } from './labels.js';
export type { LabelFile } from './labels.js';
export { readImages } from './read.js';
export { balancedDraw, splitSeeded } from './splits.js';
export { convertChannels, resizeImages, selectImages, selectLabels } from './transform.js';
export {
  ALPHA_WISHES,
  DEFAULT_MAX_PIXEL_BYTES,
  IMAGE_CHANNELS,
  IMAGE_FORMATS,
  IMAGE_LAYOUTS,
  ImageFileError,
  MAX_SIDE,
} from './types.js';
export type { ImageFormat, ReadImagesOptions, ReadImagesResult, SkippedFile } from './types.js';
