// Original file: proto/bbdistill/v1/teacher.proto

import type { Long } from '@grpc/proto-loader';

export interface RateLimit {
  'images'?: (number | string | Long);
  'windowSeconds'?: (number | string);
}

export interface RateLimit__Output {
  'images': (number);
  'windowSeconds': (number);
}
