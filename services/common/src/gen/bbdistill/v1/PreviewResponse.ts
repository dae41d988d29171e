// Original file: proto/bbdistill/v1/synthesis.proto

import type { ImageShape as _bbdistill_v1_ImageShape, ImageShape__Output as _bbdistill_v1_ImageShape__Output } from '../../bbdistill/v1/ImageShape.js';

export interface PreviewResponse {
  'shape'?: (_bbdistill_v1_ImageShape | null);
  'pixels'?: (Buffer | Uint8Array | string);
}

export interface PreviewResponse__Output {
  'shape': (_bbdistill_v1_ImageShape__Output | null);
  'pixels': (Buffer);
}
