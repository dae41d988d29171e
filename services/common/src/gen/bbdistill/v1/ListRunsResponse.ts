// Original file: proto/bbdistill/v1/orchestrator.proto

import type { Run as _bbdistill_v1_Run, Run__Output as _bbdistill_v1_Run__Output } from '../../bbdistill/v1/Run.js';

export interface ListRunsResponse {
  'runs'?: (_bbdistill_v1_Run)[];
}

export interface ListRunsResponse__Output {
  'runs': (_bbdistill_v1_Run__Output)[];
}
