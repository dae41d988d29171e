import { DataLossError, decodeTensors, encodeTensors } from '@bbdistill/common/base';
import type { EpochMetrics__Output } from '@bbdistill/common/gen/bbdistill/v1/EpochMetrics.js';

/** All that a training needs to go on as if nothing had happened. */
export interface TrainingCheckpoint {
  /** Name of the engine; another one can't go on with it. */
  engine: string;
  /** As the engine describes itself, instruction set included: another one rounds otherwise. Absent in older checkpoints. */
  engineDescription?: string;
  /** Number of threads that shared every batch; another number rounds otherwise. Absent in older checkpoints: 1. */
  threads?: number;
  /** Steps done. */
  step: number;
  /** Sum of the losses of the epoch under way. */
  epochLossSum: number;
  history: EpochMetrics__Output[];
  /** The classifier's own checkpoint: weights, moments, step count. */
  classifier: Uint8Array;
}

const FORMAT = 'bbdistill-training-1';

export function encodeCheckpoint({ classifier, ...rest }: TrainingCheckpoint): Uint8Array {
  return encodeTensors({
    metadata: { format: FORMAT, training: JSON.stringify(rest) },
    tensors: { classifier: { dtype: 'U8', shape: [classifier.length], data: classifier } },
  });
}

/** @throws DataLossError */
export function decodeCheckpoint(bytes: Uint8Array): TrainingCheckpoint {
  const { metadata, tensors } = decodeTensors(bytes);
  const classifier = tensors['classifier'];
  const training = metadata['training'];
  if (metadata['format'] !== FORMAT || training === undefined || classifier?.dtype !== 'U8') {
    throw new DataLossError('this blob is no checkpoint of a training', { code: 'CHECKPOINT_DAMAGED' });
  }
  const rest = JSON.parse(training) as Omit<TrainingCheckpoint, 'classifier'>;
  return { ...rest, classifier: classifier.data as Uint8Array };
}
