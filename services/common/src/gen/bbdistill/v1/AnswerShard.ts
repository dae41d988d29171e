// Original file: proto/bbdistill/v1/common.proto

import type { BlobRef as _bbdistill_v1_BlobRef, BlobRef__Output as _bbdistill_v1_BlobRef__Output } from '../../bbdistill/v1/BlobRef.js';

export interface AnswerShard {
  'blob'?: (_bbdistill_v1_BlobRef | null);
  'images'?: (number);
  'classes'?: (number);
  'unanswered'?: (number);
}

export interface AnswerShard__Output {
  'blob': (_bbdistill_v1_BlobRef__Output | null);
  'images': (number);
  'classes': (number);
  'unanswered': (number);
}
