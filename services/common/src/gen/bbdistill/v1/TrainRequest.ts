// Original file: proto/bbdistill/v1/trainer.proto

import type { LabelledShard as _bbdistill_v1_LabelledShard, LabelledShard__Output as _bbdistill_v1_LabelledShard__Output } from '../../bbdistill/v1/LabelledShard.js';
import type { TrainingRecipe as _bbdistill_v1_TrainingRecipe, TrainingRecipe__Output as _bbdistill_v1_TrainingRecipe__Output } from '../../bbdistill/v1/TrainingRecipe.js';
import type { TrainingPart as _bbdistill_v1_TrainingPart, TrainingPart__Output as _bbdistill_v1_TrainingPart__Output } from '../../bbdistill/v1/TrainingPart.js';
import type { Long } from '@grpc/proto-loader';

export interface TrainRequest {
  'network'?: (string);
  'classes'?: (number);
  'data'?: (_bbdistill_v1_LabelledShard)[];
  'recipe'?: (_bbdistill_v1_TrainingRecipe | null);
  'seed'?: (number | string | Long);
  'engine'?: (string);
  'threads'?: (number);
  'part'?: (_bbdistill_v1_TrainingPart | null);
  'topology'?: (string);
}

export interface TrainRequest__Output {
  'network': (string);
  'classes': (number);
  'data': (_bbdistill_v1_LabelledShard__Output)[];
  'recipe': (_bbdistill_v1_TrainingRecipe__Output | null);
  'seed': (number);
  'engine': (string);
  'threads': (number);
  'part': (_bbdistill_v1_TrainingPart__Output | null);
  'topology': (string);
}
