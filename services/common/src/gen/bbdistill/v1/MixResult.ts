// Original file: proto/bbdistill/v1/synthesis.proto

import type { ImageShard as _bbdistill_v1_ImageShard, ImageShard__Output as _bbdistill_v1_ImageShard__Output } from '../../bbdistill/v1/ImageShard.js';

export interface MixResult {
  'shards'?: (_bbdistill_v1_ImageShard)[];
  'dropped'?: (number);
  'seconds'?: (number | string);
}

export interface MixResult__Output {
  'shards': (_bbdistill_v1_ImageShard__Output)[];
  'dropped': (number);
  'seconds': (number);
}
