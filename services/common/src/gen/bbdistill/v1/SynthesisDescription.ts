// Original file: proto/bbdistill/v1/synthesis.proto


export interface SynthesisDescription {
  'engine'?: (string);
  'version'?: (string);
  'jobsRunning'?: (number);
}

export interface SynthesisDescription__Output {
  'engine': (string);
  'version': (string);
  'jobsRunning': (number);
}
