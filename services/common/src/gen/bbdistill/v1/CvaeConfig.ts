// Original file: proto/bbdistill/v1/synthesis.proto


export interface CvaeConfig {
  'architecture'?: (string);
  'epochs'?: (number);
  'batch'?: (number);
  'latent'?: (number);
  'learningRate'?: (number | string);
}

export interface CvaeConfig__Output {
  'architecture': (string);
  'epochs': (number);
  'batch': (number);
  'latent': (number);
  'learningRate': (number);
}
