// Original file: proto/bbdistill/v1/trainer.proto

import type { BlobRef as _bbdistill_v1_BlobRef, BlobRef__Output as _bbdistill_v1_BlobRef__Output } from '../../bbdistill/v1/BlobRef.js';
import type { EpochMetrics as _bbdistill_v1_EpochMetrics, EpochMetrics__Output as _bbdistill_v1_EpochMetrics__Output } from '../../bbdistill/v1/EpochMetrics.js';
import type { Long } from '@grpc/proto-loader';

export interface TrainResult {
  'weights'?: (_bbdistill_v1_BlobRef | null);
  'history'?: (_bbdistill_v1_EpochMetrics)[];
  'steps'?: (number | string | Long);
  'seconds'?: (number | string);
  'engine'?: (string);
  'parameters'?: (number | string | Long);
  'threads'?: (number);
  'checkpoint'?: (_bbdistill_v1_BlobRef | null);
}

export interface TrainResult__Output {
  'weights': (_bbdistill_v1_BlobRef__Output | null);
  'history': (_bbdistill_v1_EpochMetrics__Output)[];
  'steps': (number);
  'seconds': (number);
  'engine': (string);
  'parameters': (number);
  'threads': (number);
  'checkpoint': (_bbdistill_v1_BlobRef__Output | null);
}
