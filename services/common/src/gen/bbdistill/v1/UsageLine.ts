// Original file: proto/bbdistill/v1/teacher.proto

import type { Phase as _bbdistill_v1_Phase, Phase__Output as _bbdistill_v1_Phase__Output } from '../../bbdistill/v1/Phase.js';
import type { QueryCounts as _bbdistill_v1_QueryCounts, QueryCounts__Output as _bbdistill_v1_QueryCounts__Output } from '../../bbdistill/v1/QueryCounts.js';
import type { Long } from '@grpc/proto-loader';

export interface UsageLine {
  'teacher'?: (string);
  'runId'?: (string);
  'phase'?: (_bbdistill_v1_Phase);
  'counts'?: (_bbdistill_v1_QueryCounts | null);
  'costMicros'?: (number | string | Long);
  'currency'?: (string);
}

export interface UsageLine__Output {
  'teacher': (string);
  'runId': (string);
  'phase': (_bbdistill_v1_Phase__Output);
  'counts': (_bbdistill_v1_QueryCounts__Output | null);
  'costMicros': (number);
  'currency': (string);
}
