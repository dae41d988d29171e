// Original file: proto/bbdistill/v1/teacher.proto

import type { ImageShard as _bbdistill_v1_ImageShard, ImageShard__Output as _bbdistill_v1_ImageShard__Output } from '../../bbdistill/v1/ImageShard.js';

export interface LookUpRequest {
  'teacher'?: (string);
  'images'?: (_bbdistill_v1_ImageShard | null);
  'classes'?: (number);
}

export interface LookUpRequest__Output {
  'teacher': (string);
  'images': (_bbdistill_v1_ImageShard__Output | null);
  'classes': (number);
}
