// Original file: proto/bbdistill/v1/orchestrator.proto

import type { RunSpec as _bbdistill_v1_RunSpec, RunSpec__Output as _bbdistill_v1_RunSpec__Output } from '../../bbdistill/v1/RunSpec.js';

export interface PlanRunRequest {
  'spec'?: (_bbdistill_v1_RunSpec | null);
}

export interface PlanRunRequest__Output {
  'spec': (_bbdistill_v1_RunSpec__Output | null);
}
