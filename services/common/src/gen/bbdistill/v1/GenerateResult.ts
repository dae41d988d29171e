// Original file: proto/bbdistill/v1/synthesis.proto

import type { ImageShard as _bbdistill_v1_ImageShard, ImageShard__Output as _bbdistill_v1_ImageShard__Output } from '../../bbdistill/v1/ImageShard.js';

export interface GenerateResult {
  'shards'?: (_bbdistill_v1_ImageShard)[];
  'seconds'?: (number | string);
}

export interface GenerateResult__Output {
  'shards': (_bbdistill_v1_ImageShard__Output)[];
  'seconds': (number);
}
