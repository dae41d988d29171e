// Original file: proto/bbdistill/v1/orchestrator.proto

import type { Long } from '@grpc/proto-loader';

export interface EvaluationSpec {
  'teacherImages'?: (number | string | Long);
  'standardKd'?: (boolean);
}

export interface EvaluationSpec__Output {
  'teacherImages': (number);
  'standardKd': (boolean);
}
