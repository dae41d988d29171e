// Original file: proto/bbdistill/v1/common.proto

import type { JobState as _bbdistill_v1_JobState, JobState__Output as _bbdistill_v1_JobState__Output } from '../../bbdistill/v1/JobState.js';
import type { Progress as _bbdistill_v1_Progress, Progress__Output as _bbdistill_v1_Progress__Output } from '../../bbdistill/v1/Progress.js';
import type { Failure as _bbdistill_v1_Failure, Failure__Output as _bbdistill_v1_Failure__Output } from '../../bbdistill/v1/Failure.js';
import type { Long } from '@grpc/proto-loader';

export interface Job {
  'id'?: (string);
  'kind'?: (string);
  'state'?: (_bbdistill_v1_JobState);
  'progress'?: (_bbdistill_v1_Progress | null);
  'failure'?: (_bbdistill_v1_Failure | null);
  'resultJson'?: (string);
  'attempts'?: (number);
  'queuedAtMs'?: (number | string | Long);
  'startedAtMs'?: (number | string | Long);
  'endedAtMs'?: (number | string | Long);
}

export interface Job__Output {
  'id': (string);
  'kind': (string);
  'state': (_bbdistill_v1_JobState__Output);
  'progress': (_bbdistill_v1_Progress__Output | null);
  'failure': (_bbdistill_v1_Failure__Output | null);
  'resultJson': (string);
  'attempts': (number);
  'queuedAtMs': (number);
  'startedAtMs': (number);
  'endedAtMs': (number);
}
