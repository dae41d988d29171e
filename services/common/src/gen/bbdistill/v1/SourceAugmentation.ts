// Original file: proto/bbdistill/v1/synthesis.proto


export interface SourceAugmentation {
  'flip'?: (boolean);
  'rotationDegrees'?: (number | string);
  'shift'?: (number | string);
  'scale'?: (number | string);
}

export interface SourceAugmentation__Output {
  'flip': (boolean);
  'rotationDegrees': (number);
  'shift': (number);
  'scale': (number);
}
