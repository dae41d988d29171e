// Original file: proto/bbdistill/v1/orchestrator.proto

import type { JobState as _bbdistill_v1_JobState, JobState__Output as _bbdistill_v1_JobState__Output } from '../../bbdistill/v1/JobState.js';
import type { Progress as _bbdistill_v1_Progress, Progress__Output as _bbdistill_v1_Progress__Output } from '../../bbdistill/v1/Progress.js';
import type { Long } from '@grpc/proto-loader';

export interface StageStatus {
  'name'?: (string);
  'state'?: (_bbdistill_v1_JobState);
  'progress'?: (_bbdistill_v1_Progress | null);
  'reused'?: (boolean);
  'startedAtMs'?: (number | string | Long);
  'endedAtMs'?: (number | string | Long);
  'waitingFor'?: (string);
}

export interface StageStatus__Output {
  'name': (string);
  'state': (_bbdistill_v1_JobState__Output);
  'progress': (_bbdistill_v1_Progress__Output | null);
  'reused': (boolean);
  'startedAtMs': (number);
  'endedAtMs': (number);
  'waitingFor': (string);
}
