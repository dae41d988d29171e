// Original file: proto/bbdistill/v1/common.proto

import type { BlobRef as _bbdistill_v1_BlobRef, BlobRef__Output as _bbdistill_v1_BlobRef__Output } from '../../bbdistill/v1/BlobRef.js';
import type { ImageShape as _bbdistill_v1_ImageShape, ImageShape__Output as _bbdistill_v1_ImageShape__Output } from '../../bbdistill/v1/ImageShape.js';

export interface ImageShard {
  'blob'?: (_bbdistill_v1_BlobRef | null);
  'images'?: (number);
  'shape'?: (_bbdistill_v1_ImageShape | null);
}

export interface ImageShard__Output {
  'blob': (_bbdistill_v1_BlobRef__Output | null);
  'images': (number);
  'shape': (_bbdistill_v1_ImageShape__Output | null);
}
