// Original file: proto/bbdistill/v1/teacher.proto

import type { Long } from '@grpc/proto-loader';

export interface QueryCounts {
  'asked'?: (number | string | Long);
  'cached'?: (number | string | Long);
  'coalesced'?: (number | string | Long);
  'billed'?: (number | string | Long);
  'failed'?: (number | string | Long);
  'retried'?: (number | string | Long);
  'unresolved'?: (number | string | Long);
  'settled'?: (number | string | Long);
  'unknown'?: (number | string | Long);
  'reasked'?: (number | string | Long);
  'abstained'?: (number | string | Long);
  'completed'?: (number | string | Long);
  'dropped'?: (number | string | Long);
}

export interface QueryCounts__Output {
  'asked': (number);
  'cached': (number);
  'coalesced': (number);
  'billed': (number);
  'failed': (number);
  'retried': (number);
  'unresolved': (number);
  'settled': (number);
  'unknown': (number);
  'reasked': (number);
  'abstained': (number);
  'completed': (number);
  'dropped': (number);
}
