// Original file: proto/bbdistill/v1/teacher.proto

import type { Phase as _bbdistill_v1_Phase, Phase__Output as _bbdistill_v1_Phase__Output } from '../../bbdistill/v1/Phase.js';
import type { ImageShard as _bbdistill_v1_ImageShard, ImageShard__Output as _bbdistill_v1_ImageShard__Output } from '../../bbdistill/v1/ImageShard.js';
import type { Budget as _bbdistill_v1_Budget, Budget__Output as _bbdistill_v1_Budget__Output } from '../../bbdistill/v1/Budget.js';

export interface LabelRequest {
  'runId'?: (string);
  'teacher'?: (string);
  'phase'?: (_bbdistill_v1_Phase);
  'images'?: (_bbdistill_v1_ImageShard | null);
  'classes'?: (number);
  'budget'?: (_bbdistill_v1_Budget | null);
  'reask'?: (boolean);
}

export interface LabelRequest__Output {
  'runId': (string);
  'teacher': (string);
  'phase': (_bbdistill_v1_Phase__Output);
  'images': (_bbdistill_v1_ImageShard__Output | null);
  'classes': (number);
  'budget': (_bbdistill_v1_Budget__Output | null);
  'reask': (boolean);
}
