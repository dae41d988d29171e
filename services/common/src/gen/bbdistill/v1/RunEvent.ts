// Original file: proto/bbdistill/v1/orchestrator.proto

import type { StageStatus as _bbdistill_v1_StageStatus, StageStatus__Output as _bbdistill_v1_StageStatus__Output } from '../../bbdistill/v1/StageStatus.js';
import type { RunState as _bbdistill_v1_RunState, RunState__Output as _bbdistill_v1_RunState__Output } from '../../bbdistill/v1/RunState.js';
import type { Failure as _bbdistill_v1_Failure, Failure__Output as _bbdistill_v1_Failure__Output } from '../../bbdistill/v1/Failure.js';
import type { Long } from '@grpc/proto-loader';

export interface RunEvent {
  'sequence'?: (number | string | Long);
  'atMs'?: (number | string | Long);
  'stage'?: (_bbdistill_v1_StageStatus | null);
  'state'?: (_bbdistill_v1_RunState);
  'message'?: (string);
  'failure'?: (_bbdistill_v1_Failure | null);
  'event'?: "stage"|"state"|"message"|"failure";
}

export interface RunEvent__Output {
  'sequence': (number);
  'atMs': (number);
  'stage'?: (_bbdistill_v1_StageStatus__Output | null);
  'state'?: (_bbdistill_v1_RunState__Output);
  'message'?: (string);
  'failure'?: (_bbdistill_v1_Failure__Output | null);
  'event'?: "stage"|"state"|"message"|"failure";
}
