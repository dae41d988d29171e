// Original file: proto/bbdistill/v1/trainer.proto


export interface TrainingRecipe {
  'epochs'?: (number);
  'batch'?: (number);
  'schedule'?: (string);
  'learningRate'?: (number | string);
  'batchMixupAlpha'?: (number | string);
  'rotationDegrees'?: (number | string);
  'shift'?: (number | string);
  'flip'?: (boolean);
  'balance'?: (number | string);
  'temperature'?: (number | string);
  'weightDecay'?: (number | string);
  'emaDecay'?: (number | string);
}

export interface TrainingRecipe__Output {
  'epochs': (number);
  'batch': (number);
  'schedule': (string);
  'learningRate': (number);
  'batchMixupAlpha': (number);
  'rotationDegrees': (number);
  'shift': (number);
  'flip': (boolean);
  'balance': (number);
  'temperature': (number);
  'weightDecay': (number);
  'emaDecay': (number);
}
