// Original file: proto/bbdistill/v1/trainer.proto


export interface EpochMetrics {
  'epoch'?: (number);
  'loss'?: (number | string);
  'learningRate'?: (number | string);
}

export interface EpochMetrics__Output {
  'epoch': (number);
  'loss': (number);
  'learningRate': (number);
}
