// Original file: proto/bbdistill/v1/orchestrator.proto


export interface RunRequest {
  'runId'?: (string);
}

export interface RunRequest__Output {
  'runId': (string);
}
