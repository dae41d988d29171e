// Original file: proto/bbdistill/v1/trainer.proto

import type { BlobRef as _bbdistill_v1_BlobRef, BlobRef__Output as _bbdistill_v1_BlobRef__Output } from '../../bbdistill/v1/BlobRef.js';
import type { ImageShard as _bbdistill_v1_ImageShard, ImageShard__Output as _bbdistill_v1_ImageShard__Output } from '../../bbdistill/v1/ImageShard.js';
import type { AnswerShard as _bbdistill_v1_AnswerShard, AnswerShard__Output as _bbdistill_v1_AnswerShard__Output } from '../../bbdistill/v1/AnswerShard.js';

export interface EvaluateRequest {
  'weights'?: (_bbdistill_v1_BlobRef | null);
  'images'?: (_bbdistill_v1_ImageShard)[];
  'labels'?: (_bbdistill_v1_BlobRef | null);
  'answers'?: (_bbdistill_v1_AnswerShard)[];
  'engine'?: (string);
}

export interface EvaluateRequest__Output {
  'weights': (_bbdistill_v1_BlobRef__Output | null);
  'images': (_bbdistill_v1_ImageShard__Output)[];
  'labels': (_bbdistill_v1_BlobRef__Output | null);
  'answers': (_bbdistill_v1_AnswerShard__Output)[];
  'engine': (string);
}
