// Original file: proto/bbdistill/v1/teacher.proto

import type { AnswerShard as _bbdistill_v1_AnswerShard, AnswerShard__Output as _bbdistill_v1_AnswerShard__Output } from '../../bbdistill/v1/AnswerShard.js';
import type { QueryCounts as _bbdistill_v1_QueryCounts, QueryCounts__Output as _bbdistill_v1_QueryCounts__Output } from '../../bbdistill/v1/QueryCounts.js';

export interface LabelResult {
  'answers'?: (_bbdistill_v1_AnswerShard | null);
  'counts'?: (_bbdistill_v1_QueryCounts | null);
}

export interface LabelResult__Output {
  'answers': (_bbdistill_v1_AnswerShard__Output | null);
  'counts': (_bbdistill_v1_QueryCounts__Output | null);
}
