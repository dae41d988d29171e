// Original file: proto/bbdistill/v1/orchestrator.proto

import type { Long } from '@grpc/proto-loader';

export interface PlanRunResponse {
  'images'?: (number | string | Long);
  'evaluationImages'?: (number | string | Long);
  'calls'?: (number | string | Long);
  'knownCached'?: (number | string | Long);
  'costMicros'?: (number | string | Long);
  'currency'?: (string);
  'labelSeconds'?: (number | string);
  'withinBudget'?: (boolean);
  'notes'?: (string)[];
}

export interface PlanRunResponse__Output {
  'images': (number);
  'evaluationImages': (number);
  'calls': (number);
  'knownCached': (number);
  'costMicros': (number);
  'currency': (string);
  'labelSeconds': (number);
  'withinBudget': (boolean);
  'notes': (string)[];
}
