// Original file: proto/bbdistill/v1/trainer.proto

import type { ExportedFile as _bbdistill_v1_ExportedFile, ExportedFile__Output as _bbdistill_v1_ExportedFile__Output } from '../../bbdistill/v1/ExportedFile.js';

export interface ExportResult {
  'files'?: (_bbdistill_v1_ExportedFile)[];
  'seconds'?: (number | string);
}

export interface ExportResult__Output {
  'files': (_bbdistill_v1_ExportedFile__Output)[];
  'seconds': (number);
}
