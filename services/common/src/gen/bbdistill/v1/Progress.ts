// Original file: proto/bbdistill/v1/common.proto


export interface Progress {
  'unit'?: (string);
  'done'?: (number | string);
  'total'?: (number | string);
  'loss'?: (number | string);
  '_loss'?: "loss";
}

export interface Progress__Output {
  'unit': (string);
  'done': (number);
  'total': (number);
  'loss'?: (number);
  '_loss'?: "loss";
}
