// Original file: proto/bbdistill/v1/orchestrator.proto

import type { SourceAugmentation as _bbdistill_v1_SourceAugmentation, SourceAugmentation__Output as _bbdistill_v1_SourceAugmentation__Output } from '../../bbdistill/v1/SourceAugmentation.js';
import type { CvaeConfig as _bbdistill_v1_CvaeConfig, CvaeConfig__Output as _bbdistill_v1_CvaeConfig__Output } from '../../bbdistill/v1/CvaeConfig.js';

export interface SynthesisSpec {
  'images'?: (number);
  'mixupAlpha'?: (number | string);
  'dropBelow'?: (number | string);
  'mixupShare'?: (number | string);
  'cutmixShare'?: (number | string);
  'augmentedShare'?: (number | string);
  'cvaeShare'?: (number | string);
  'source'?: (_bbdistill_v1_SourceAugmentation | null);
  'cvae'?: (_bbdistill_v1_CvaeConfig | null);
}

export interface SynthesisSpec__Output {
  'images': (number);
  'mixupAlpha': (number);
  'dropBelow': (number);
  'mixupShare': (number);
  'cutmixShare': (number);
  'augmentedShare': (number);
  'cvaeShare': (number);
  'source': (_bbdistill_v1_SourceAugmentation__Output | null);
  'cvae': (_bbdistill_v1_CvaeConfig__Output | null);
}
