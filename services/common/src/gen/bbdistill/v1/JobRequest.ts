// Original file: proto/bbdistill/v1/common.proto


export interface JobRequest {
  'id'?: (string);
}

export interface JobRequest__Output {
  'id': (string);
}
