// Original file: proto/bbdistill/v1/orchestrator.proto

import type { RunSpec as _bbdistill_v1_RunSpec, RunSpec__Output as _bbdistill_v1_RunSpec__Output } from '../../bbdistill/v1/RunSpec.js';
import type { RunState as _bbdistill_v1_RunState, RunState__Output as _bbdistill_v1_RunState__Output } from '../../bbdistill/v1/RunState.js';
import type { Failure as _bbdistill_v1_Failure, Failure__Output as _bbdistill_v1_Failure__Output } from '../../bbdistill/v1/Failure.js';
import type { StageStatus as _bbdistill_v1_StageStatus, StageStatus__Output as _bbdistill_v1_StageStatus__Output } from '../../bbdistill/v1/StageStatus.js';
import type { ExportedFile as _bbdistill_v1_ExportedFile, ExportedFile__Output as _bbdistill_v1_ExportedFile__Output } from '../../bbdistill/v1/ExportedFile.js';
import type { Long } from '@grpc/proto-loader';

export interface Run {
  'id'?: (string);
  'spec'?: (_bbdistill_v1_RunSpec | null);
  'state'?: (_bbdistill_v1_RunState);
  'failure'?: (_bbdistill_v1_Failure | null);
  'stages'?: (_bbdistill_v1_StageStatus)[];
  'artifacts'?: (_bbdistill_v1_ExportedFile)[];
  'createdAtMs'?: (number | string | Long);
  'startedAtMs'?: (number | string | Long);
  'endedAtMs'?: (number | string | Long);
  'driver'?: (string);
  'epoch'?: (number | string | Long);
  'reportJson'?: (string);
}

export interface Run__Output {
  'id': (string);
  'spec': (_bbdistill_v1_RunSpec__Output | null);
  'state': (_bbdistill_v1_RunState__Output);
  'failure': (_bbdistill_v1_Failure__Output | null);
  'stages': (_bbdistill_v1_StageStatus__Output)[];
  'artifacts': (_bbdistill_v1_ExportedFile__Output)[];
  'createdAtMs': (number);
  'startedAtMs': (number);
  'endedAtMs': (number);
  'driver': (string);
  'epoch': (number);
  'reportJson': (string);
}
