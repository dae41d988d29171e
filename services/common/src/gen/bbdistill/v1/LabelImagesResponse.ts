// Original file: proto/bbdistill/v1/teacher.proto

import type { QueryCounts as _bbdistill_v1_QueryCounts, QueryCounts__Output as _bbdistill_v1_QueryCounts__Output } from '../../bbdistill/v1/QueryCounts.js';

export interface LabelImagesResponse {
  'targets'?: (number | string)[];
  'answered'?: (boolean)[];
  'counts'?: (_bbdistill_v1_QueryCounts | null);
}

export interface LabelImagesResponse__Output {
  'targets': (number)[];
  'answered': (boolean)[];
  'counts': (_bbdistill_v1_QueryCounts__Output | null);
}
