// Original file: proto/bbdistill/v1/teacher.proto


export interface UsageRequest {
  'teacher'?: (string);
  'runId'?: (string);
}

export interface UsageRequest__Output {
  'teacher': (string);
  'runId': (string);
}
