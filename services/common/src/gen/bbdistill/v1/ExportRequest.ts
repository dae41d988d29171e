// Original file: proto/bbdistill/v1/trainer.proto

import type { BlobRef as _bbdistill_v1_BlobRef, BlobRef__Output as _bbdistill_v1_BlobRef__Output } from '../../bbdistill/v1/BlobRef.js';
import type { LabelledShard as _bbdistill_v1_LabelledShard, LabelledShard__Output as _bbdistill_v1_LabelledShard__Output } from '../../bbdistill/v1/LabelledShard.js';

export interface ExportRequest {
  'weights'?: (_bbdistill_v1_BlobRef | null);
  'classNames'?: (string)[];
  'data'?: (_bbdistill_v1_LabelledShard)[];
  'name'?: (string);
}

export interface ExportRequest__Output {
  'weights': (_bbdistill_v1_BlobRef__Output | null);
  'classNames': (string)[];
  'data': (_bbdistill_v1_LabelledShard__Output)[];
  'name': (string);
}
