// Original file: proto/bbdistill/v1/synthesis.proto

import type { BlobRef as _bbdistill_v1_BlobRef, BlobRef__Output as _bbdistill_v1_BlobRef__Output } from '../../bbdistill/v1/BlobRef.js';

export interface FitResult {
  'generator'?: (_bbdistill_v1_BlobRef | null);
  'epochLoss'?: (number | string)[];
  'seconds'?: (number | string);
  'engine'?: (string);
}

export interface FitResult__Output {
  'generator': (_bbdistill_v1_BlobRef__Output | null);
  'epochLoss': (number)[];
  'seconds': (number);
  'engine': (string);
}
