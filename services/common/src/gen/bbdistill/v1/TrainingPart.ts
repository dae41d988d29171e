// Original file: proto/bbdistill/v1/trainer.proto

import type { BlobRef as _bbdistill_v1_BlobRef, BlobRef__Output as _bbdistill_v1_BlobRef__Output } from '../../bbdistill/v1/BlobRef.js';

export interface TrainingPart {
  'firstStep'?: (number);
  'endStep'?: (number);
  'totalSteps'?: (number);
  'checkpoint'?: (_bbdistill_v1_BlobRef | null);
  'newestImages'?: (number);
  'newestDraws'?: (number);
  'scheduleFrom'?: (number | string);
  'scheduleTo'?: (number | string);
}

export interface TrainingPart__Output {
  'firstStep': (number);
  'endStep': (number);
  'totalSteps': (number);
  'checkpoint': (_bbdistill_v1_BlobRef__Output | null);
  'newestImages': (number);
  'newestDraws': (number);
  'scheduleFrom': (number);
  'scheduleTo': (number);
}
