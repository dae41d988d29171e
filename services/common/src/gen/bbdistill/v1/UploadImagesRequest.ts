// Original file: proto/bbdistill/v1/orchestrator.proto

import type { UploadHeader as _bbdistill_v1_UploadHeader, UploadHeader__Output as _bbdistill_v1_UploadHeader__Output } from '../../bbdistill/v1/UploadHeader.js';

export interface UploadImagesRequest {
  'header'?: (_bbdistill_v1_UploadHeader | null);
  'pixels'?: (Buffer | Uint8Array | string);
  'labels'?: (number)[];
}

export interface UploadImagesRequest__Output {
  'header': (_bbdistill_v1_UploadHeader__Output | null);
  'pixels': (Buffer);
  'labels': (number)[];
}
