// Original file: proto/bbdistill/v1/synthesis.proto

import type { ImageShard as _bbdistill_v1_ImageShard, ImageShard__Output as _bbdistill_v1_ImageShard__Output } from '../../bbdistill/v1/ImageShard.js';
import type { SourceAugmentation as _bbdistill_v1_SourceAugmentation, SourceAugmentation__Output as _bbdistill_v1_SourceAugmentation__Output } from '../../bbdistill/v1/SourceAugmentation.js';
import type { Long } from '@grpc/proto-loader';

export interface MixRequest {
  'images'?: (_bbdistill_v1_ImageShard)[];
  'count'?: (number);
  'alpha'?: (number | string);
  'dropBelow'?: (number | string);
  'mixupShare'?: (number | string);
  'cutmixShare'?: (number | string);
  'augmentedShare'?: (number | string);
  'cvaeShare'?: (number | string);
  'source'?: (_bbdistill_v1_SourceAugmentation | null);
  'seed'?: (number | string | Long);
}

export interface MixRequest__Output {
  'images': (_bbdistill_v1_ImageShard__Output)[];
  'count': (number);
  'alpha': (number);
  'dropBelow': (number);
  'mixupShare': (number);
  'cutmixShare': (number);
  'augmentedShare': (number);
  'cvaeShare': (number);
  'source': (_bbdistill_v1_SourceAugmentation__Output | null);
  'seed': (number);
}
