// Original file: proto/bbdistill/v1/teacher.proto

import type { Long } from '@grpc/proto-loader';

export interface Budget {
  'images'?: (number | string | Long);
  'moneyMicros'?: (number | string | Long);
  '_images'?: "images";
  '_moneyMicros'?: "moneyMicros";
}

export interface Budget__Output {
  'images'?: (number);
  'moneyMicros'?: (number);
  '_images'?: "images";
  '_moneyMicros'?: "moneyMicros";
}
