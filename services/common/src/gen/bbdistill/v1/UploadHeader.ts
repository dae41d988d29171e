// Original file: proto/bbdistill/v1/orchestrator.proto

import type { ImageShape as _bbdistill_v1_ImageShape, ImageShape__Output as _bbdistill_v1_ImageShape__Output } from '../../bbdistill/v1/ImageShape.js';

export interface UploadHeader {
  'shape'?: (_bbdistill_v1_ImageShape | null);
  'classNames'?: (string)[];
}

export interface UploadHeader__Output {
  'shape': (_bbdistill_v1_ImageShape__Output | null);
  'classNames': (string)[];
}
