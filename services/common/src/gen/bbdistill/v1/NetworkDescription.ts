// Original file: proto/bbdistill/v1/trainer.proto

import type { Long } from '@grpc/proto-loader';

export interface NetworkDescription {
  'name'?: (string);
  'parameters'?: (number | string | Long);
}

export interface NetworkDescription__Output {
  'name': (string);
  'parameters': (number);
}
