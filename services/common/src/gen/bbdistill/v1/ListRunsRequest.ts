// Original file: proto/bbdistill/v1/orchestrator.proto


export interface ListRunsRequest {
  'limit'?: (number);
}

export interface ListRunsRequest__Output {
  'limit': (number);
}
