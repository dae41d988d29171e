// Original file: proto/bbdistill/v1/synthesis.proto

import type { BlobRef as _bbdistill_v1_BlobRef, BlobRef__Output as _bbdistill_v1_BlobRef__Output } from '../../bbdistill/v1/BlobRef.js';
import type { FitEpoch as _bbdistill_v1_FitEpoch, FitEpoch__Output as _bbdistill_v1_FitEpoch__Output } from '../../bbdistill/v1/FitEpoch.js';

export interface FitResult {
  'generator'?: (_bbdistill_v1_BlobRef | null);
  'seconds'?: (number | string);
  'engine'?: (string);
  'history'?: (_bbdistill_v1_FitEpoch)[];
}

export interface FitResult__Output {
  'generator': (_bbdistill_v1_BlobRef__Output | null);
  'seconds': (number);
  'engine': (string);
  'history': (_bbdistill_v1_FitEpoch__Output)[];
}
