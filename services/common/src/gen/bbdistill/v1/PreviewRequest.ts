// Original file: proto/bbdistill/v1/synthesis.proto

import type { MixRequest as _bbdistill_v1_MixRequest, MixRequest__Output as _bbdistill_v1_MixRequest__Output } from '../../bbdistill/v1/MixRequest.js';
import type { GenerateRequest as _bbdistill_v1_GenerateRequest, GenerateRequest__Output as _bbdistill_v1_GenerateRequest__Output } from '../../bbdistill/v1/GenerateRequest.js';

export interface PreviewRequest {
  'mix'?: (_bbdistill_v1_MixRequest | null);
  'generate'?: (_bbdistill_v1_GenerateRequest | null);
  'images'?: (number);
  'source'?: "mix"|"generate";
}

export interface PreviewRequest__Output {
  'mix'?: (_bbdistill_v1_MixRequest__Output | null);
  'generate'?: (_bbdistill_v1_GenerateRequest__Output | null);
  'images': (number);
  'source'?: "mix"|"generate";
}
