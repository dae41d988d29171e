// Original file: proto/bbdistill/v1/teacher.proto

import type { ImageShape as _bbdistill_v1_ImageShape, ImageShape__Output as _bbdistill_v1_ImageShape__Output } from '../../bbdistill/v1/ImageShape.js';

export interface DescribeTeacherRequest {
  'teacher'?: (string);
  'shape'?: (_bbdistill_v1_ImageShape | null);
}

export interface DescribeTeacherRequest__Output {
  'teacher': (string);
  'shape': (_bbdistill_v1_ImageShape__Output | null);
}
