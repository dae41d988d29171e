// Original file: proto/bbdistill/v1/trainer.proto

import type { BlobRef as _bbdistill_v1_BlobRef, BlobRef__Output as _bbdistill_v1_BlobRef__Output } from '../../bbdistill/v1/BlobRef.js';

export interface ExportedFile {
  'path'?: (string);
  'blob'?: (_bbdistill_v1_BlobRef | null);
  'mediaType'?: (string);
}

export interface ExportedFile__Output {
  'path': (string);
  'blob': (_bbdistill_v1_BlobRef__Output | null);
  'mediaType': (string);
}
