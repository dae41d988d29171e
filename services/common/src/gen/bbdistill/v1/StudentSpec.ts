// Original file: proto/bbdistill/v1/orchestrator.proto

import type { TrainingRecipe as _bbdistill_v1_TrainingRecipe, TrainingRecipe__Output as _bbdistill_v1_TrainingRecipe__Output } from '../../bbdistill/v1/TrainingRecipe.js';

export interface StudentSpec {
  'network'?: (string);
  'recipeName'?: (string);
  'recipe'?: (_bbdistill_v1_TrainingRecipe | null);
  'topology'?: (string);
}

export interface StudentSpec__Output {
  'network': (string);
  'recipeName': (string);
  'recipe': (_bbdistill_v1_TrainingRecipe__Output | null);
  'topology': (string);
}
