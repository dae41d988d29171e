// Original file: proto/bbdistill/v1/orchestrator.proto

import type { Long } from '@grpc/proto-loader';

export interface WatchRunRequest {
  'runId'?: (string);
  'fromSequence'?: (number | string | Long);
}

export interface WatchRunRequest__Output {
  'runId': (string);
  'fromSequence': (number);
}
