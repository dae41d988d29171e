// Original file: proto/bbdistill/v1/synthesis.proto

import type { LabelledShard as _bbdistill_v1_LabelledShard, LabelledShard__Output as _bbdistill_v1_LabelledShard__Output } from '../../bbdistill/v1/LabelledShard.js';
import type { CvaeConfig as _bbdistill_v1_CvaeConfig, CvaeConfig__Output as _bbdistill_v1_CvaeConfig__Output } from '../../bbdistill/v1/CvaeConfig.js';
import type { Long } from '@grpc/proto-loader';

export interface FitRequest {
  'data'?: (_bbdistill_v1_LabelledShard)[];
  'classes'?: (number);
  'cvae'?: (_bbdistill_v1_CvaeConfig | null);
  'seed'?: (number | string | Long);
  'engine'?: (string);
}

export interface FitRequest__Output {
  'data': (_bbdistill_v1_LabelledShard__Output)[];
  'classes': (number);
  'cvae': (_bbdistill_v1_CvaeConfig__Output | null);
  'seed': (number);
  'engine': (string);
}
