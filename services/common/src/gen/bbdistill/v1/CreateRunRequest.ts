// Original file: proto/bbdistill/v1/orchestrator.proto

import type { RunSpec as _bbdistill_v1_RunSpec, RunSpec__Output as _bbdistill_v1_RunSpec__Output } from '../../bbdistill/v1/RunSpec.js';

export interface CreateRunRequest {
  'requestId'?: (string);
  'spec'?: (_bbdistill_v1_RunSpec | null);
}

export interface CreateRunRequest__Output {
  'requestId': (string);
  'spec': (_bbdistill_v1_RunSpec__Output | null);
}
