// Original file: proto/bbdistill/v1/common.proto

export const Phase = {
  PHASE_UNSPECIFIED: 'PHASE_UNSPECIFIED',
  PHASE_SEEDS: 'PHASE_SEEDS',
  PHASE_MIXUP: 'PHASE_MIXUP',
  PHASE_CVAE: 'PHASE_CVAE',
  PHASE_EVALUATION: 'PHASE_EVALUATION',
} as const;

export type Phase =
  | 'PHASE_UNSPECIFIED'
  | 0
  | 'PHASE_SEEDS'
  | 1
  | 'PHASE_MIXUP'
  | 2
  | 'PHASE_CVAE'
  | 3
  | 'PHASE_EVALUATION'
  | 4

export type Phase__Output = typeof Phase[keyof typeof Phase]
