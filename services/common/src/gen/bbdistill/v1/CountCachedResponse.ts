// Original file: proto/bbdistill/v1/teacher.proto

import type { Long } from '@grpc/proto-loader';

export interface CountCachedResponse {
  'distinct'?: (number | string | Long);
  'cached'?: (number | string | Long);
}

export interface CountCachedResponse__Output {
  'distinct': (number);
  'cached': (number);
}
