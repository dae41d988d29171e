// Original file: proto/bbdistill/v1/orchestrator.proto

import type { Budget as _bbdistill_v1_Budget, Budget__Output as _bbdistill_v1_Budget__Output } from '../../bbdistill/v1/Budget.js';

export interface ResumeRunRequest {
  'runId'?: (string);
  'budget'?: (_bbdistill_v1_Budget | null);
  'reask'?: (boolean);
}

export interface ResumeRunRequest__Output {
  'runId': (string);
  'budget': (_bbdistill_v1_Budget__Output | null);
  'reask': (boolean);
}
