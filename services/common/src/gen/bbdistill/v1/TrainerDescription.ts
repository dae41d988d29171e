// Original file: proto/bbdistill/v1/trainer.proto

import type { NetworkDescription as _bbdistill_v1_NetworkDescription, NetworkDescription__Output as _bbdistill_v1_NetworkDescription__Output } from '../../bbdistill/v1/NetworkDescription.js';

export interface TrainerDescription {
  'engine'?: (string);
  'version'?: (string);
  'networks'?: (_bbdistill_v1_NetworkDescription)[];
  'jobsRunning'?: (number);
}

export interface TrainerDescription__Output {
  'engine': (string);
  'version': (string);
  'networks': (_bbdistill_v1_NetworkDescription__Output)[];
  'jobsRunning': (number);
}
