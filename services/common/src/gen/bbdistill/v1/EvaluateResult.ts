// Original file: proto/bbdistill/v1/trainer.proto

import type { BlobRef as _bbdistill_v1_BlobRef, BlobRef__Output as _bbdistill_v1_BlobRef__Output } from '../../bbdistill/v1/BlobRef.js';
import type { Long } from '@grpc/proto-loader';

export interface EvaluateResult {
  'images'?: (number | string | Long);
  'accuracy'?: (number | string);
  'macroF1'?: (number | string);
  'agreement'?: (number | string);
  'teacherAccuracy'?: (number | string);
  'teacherImages'?: (number | string | Long);
  'calibrationError'?: (number | string);
  'probabilities'?: (_bbdistill_v1_BlobRef | null);
  'seconds'?: (number | string);
  'confusion'?: (_bbdistill_v1_BlobRef | null);
  '_accuracy'?: "accuracy";
  '_macroF1'?: "macroF1";
  '_agreement'?: "agreement";
  '_teacherAccuracy'?: "teacherAccuracy";
  '_calibrationError'?: "calibrationError";
}

export interface EvaluateResult__Output {
  'images': (number);
  'accuracy'?: (number);
  'macroF1'?: (number);
  'agreement'?: (number);
  'teacherAccuracy'?: (number);
  'teacherImages': (number);
  'calibrationError'?: (number);
  'probabilities': (_bbdistill_v1_BlobRef__Output | null);
  'seconds': (number);
  'confusion': (_bbdistill_v1_BlobRef__Output | null);
  '_accuracy'?: "accuracy";
  '_macroF1'?: "macroF1";
  '_agreement'?: "agreement";
  '_teacherAccuracy'?: "teacherAccuracy";
  '_calibrationError'?: "calibrationError";
}
