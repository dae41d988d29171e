// Original file: proto/bbdistill/v1/synthesis.proto

import type { BlobRef as _bbdistill_v1_BlobRef, BlobRef__Output as _bbdistill_v1_BlobRef__Output } from '../../bbdistill/v1/BlobRef.js';
import type { Long } from '@grpc/proto-loader';

export interface GenerateRequest {
  'generator'?: (_bbdistill_v1_BlobRef | null);
  'count'?: (number);
  'seed'?: (number | string | Long);
  'engine'?: (string);
}

export interface GenerateRequest__Output {
  'generator': (_bbdistill_v1_BlobRef__Output | null);
  'count': (number);
  'seed': (number);
  'engine': (string);
}
