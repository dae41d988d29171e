// Original file: proto/bbdistill/v1/orchestrator.proto

import type { ImageShard as _bbdistill_v1_ImageShard, ImageShard__Output as _bbdistill_v1_ImageShard__Output } from '../../bbdistill/v1/ImageShard.js';
import type { BlobRef as _bbdistill_v1_BlobRef, BlobRef__Output as _bbdistill_v1_BlobRef__Output } from '../../bbdistill/v1/BlobRef.js';
import type { ImageShape as _bbdistill_v1_ImageShape, ImageShape__Output as _bbdistill_v1_ImageShape__Output } from '../../bbdistill/v1/ImageShape.js';
import type { Long } from '@grpc/proto-loader';

export interface Dataset {
  'id'?: (string);
  'shards'?: (_bbdistill_v1_ImageShard)[];
  'labels'?: (_bbdistill_v1_BlobRef | null);
  'images'?: (number | string | Long);
  'shape'?: (_bbdistill_v1_ImageShape | null);
  'classNames'?: (string)[];
}

export interface Dataset__Output {
  'id': (string);
  'shards': (_bbdistill_v1_ImageShard__Output)[];
  'labels': (_bbdistill_v1_BlobRef__Output | null);
  'images': (number);
  'shape': (_bbdistill_v1_ImageShape__Output | null);
  'classNames': (string)[];
}
