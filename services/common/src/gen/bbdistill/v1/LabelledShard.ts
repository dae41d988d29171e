// Original file: proto/bbdistill/v1/common.proto

import type { ImageShard as _bbdistill_v1_ImageShard, ImageShard__Output as _bbdistill_v1_ImageShard__Output } from '../../bbdistill/v1/ImageShard.js';
import type { AnswerShard as _bbdistill_v1_AnswerShard, AnswerShard__Output as _bbdistill_v1_AnswerShard__Output } from '../../bbdistill/v1/AnswerShard.js';

export interface LabelledShard {
  'images'?: (_bbdistill_v1_ImageShard | null);
  'answers'?: (_bbdistill_v1_AnswerShard | null);
}

export interface LabelledShard__Output {
  'images': (_bbdistill_v1_ImageShard__Output | null);
  'answers': (_bbdistill_v1_AnswerShard__Output | null);
}
