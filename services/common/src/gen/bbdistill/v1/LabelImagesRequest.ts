// Original file: proto/bbdistill/v1/teacher.proto

import type { Phase as _bbdistill_v1_Phase, Phase__Output as _bbdistill_v1_Phase__Output } from '../../bbdistill/v1/Phase.js';
import type { Budget as _bbdistill_v1_Budget, Budget__Output as _bbdistill_v1_Budget__Output } from '../../bbdistill/v1/Budget.js';
import type { ImageShape as _bbdistill_v1_ImageShape, ImageShape__Output as _bbdistill_v1_ImageShape__Output } from '../../bbdistill/v1/ImageShape.js';

export interface LabelImagesRequest {
  'runId'?: (string);
  'teacher'?: (string);
  'phase'?: (_bbdistill_v1_Phase);
  'classes'?: (number);
  'budget'?: (_bbdistill_v1_Budget | null);
  'shape'?: (_bbdistill_v1_ImageShape | null);
  'pixels'?: (Buffer | Uint8Array | string);
}

export interface LabelImagesRequest__Output {
  'runId': (string);
  'teacher': (string);
  'phase': (_bbdistill_v1_Phase__Output);
  'classes': (number);
  'budget': (_bbdistill_v1_Budget__Output | null);
  'shape': (_bbdistill_v1_ImageShape__Output | null);
  'pixels': (Buffer);
}
