// Original file: proto/bbdistill/v1/common.proto


export interface Failure {
  'code'?: (string);
  'message'?: (string);
  'retryable'?: (boolean);
}

export interface Failure__Output {
  'code': (string);
  'message': (string);
  'retryable': (boolean);
}
