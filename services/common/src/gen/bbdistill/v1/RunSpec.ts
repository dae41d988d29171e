// Original file: proto/bbdistill/v1/orchestrator.proto

import type { SynthesisSpec as _bbdistill_v1_SynthesisSpec, SynthesisSpec__Output as _bbdistill_v1_SynthesisSpec__Output } from '../../bbdistill/v1/SynthesisSpec.js';
import type { StudentSpec as _bbdistill_v1_StudentSpec, StudentSpec__Output as _bbdistill_v1_StudentSpec__Output } from '../../bbdistill/v1/StudentSpec.js';
import type { EvaluationSpec as _bbdistill_v1_EvaluationSpec, EvaluationSpec__Output as _bbdistill_v1_EvaluationSpec__Output } from '../../bbdistill/v1/EvaluationSpec.js';
import type { Budget as _bbdistill_v1_Budget, Budget__Output as _bbdistill_v1_Budget__Output } from '../../bbdistill/v1/Budget.js';
import type { Long } from '@grpc/proto-loader';

export interface RunSpec {
  'name'?: (string);
  'teacher'?: (string);
  'images'?: (string);
  'test'?: (string);
  'classes'?: (number);
  'classNames'?: (string)[];
  'synthesis'?: (_bbdistill_v1_SynthesisSpec | null);
  'student'?: (_bbdistill_v1_StudentSpec | null);
  'evaluation'?: (_bbdistill_v1_EvaluationSpec | null);
  'budget'?: (_bbdistill_v1_Budget | null);
  'engine'?: (string);
  'seed'?: (number | string | Long);
  'threads'?: (number);
  'overlap'?: (boolean);
}

export interface RunSpec__Output {
  'name': (string);
  'teacher': (string);
  'images': (string);
  'test': (string);
  'classes': (number);
  'classNames': (string)[];
  'synthesis': (_bbdistill_v1_SynthesisSpec__Output | null);
  'student': (_bbdistill_v1_StudentSpec__Output | null);
  'evaluation': (_bbdistill_v1_EvaluationSpec__Output | null);
  'budget': (_bbdistill_v1_Budget__Output | null);
  'engine': (string);
  'seed': (number);
  'threads': (number);
  'overlap': (boolean);
}
