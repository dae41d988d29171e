// Original file: proto/bbdistill/v1/teacher.proto

import type { UsageLine as _bbdistill_v1_UsageLine, UsageLine__Output as _bbdistill_v1_UsageLine__Output } from '../../bbdistill/v1/UsageLine.js';

export interface UsageResponse {
  'lines'?: (_bbdistill_v1_UsageLine)[];
}

export interface UsageResponse__Output {
  'lines': (_bbdistill_v1_UsageLine__Output)[];
}
