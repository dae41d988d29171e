// Original file: proto/bbdistill/v1/common.proto


export interface ImageShape {
  'height'?: (number);
  'width'?: (number);
  'channels'?: (number);
}

export interface ImageShape__Output {
  'height': (number);
  'width': (number);
  'channels': (number);
}
