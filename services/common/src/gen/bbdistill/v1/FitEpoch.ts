// Original file: proto/bbdistill/v1/synthesis.proto


export interface FitEpoch {
  'epoch'?: (number);
  'loss'?: (number | string);
}

export interface FitEpoch__Output {
  'epoch': (number);
  'loss': (number);
}
