import { DataLossError, decodeTensors, encodeTensors } from '@bbdistill/common/base';
import type { NamedTensor } from '@bbdistill/common/base';
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

const FORMAT = 'bbdistill-training-2';
/** Had the history in the metadata, which can't hold that of a long training. */
const FORMAT_WITHOUT_HISTORY_TENSOR = 'bbdistill-training-1';

/** Epoch, loss and learning rate, each a little-endian float64, for which the tensors have no type. */
const EPOCH_BYTES = 3 * 8;

export function encodeCheckpoint({ classifier, history, ...rest }: TrainingCheckpoint): Uint8Array {
  return encodeTensors({
    metadata: { format: FORMAT, training: JSON.stringify(rest) },
    tensors: {
      classifier: { dtype: 'U8', shape: [classifier.length], data: classifier },
      history: historyTensor(history),
    },
  });
}

/** @throws DataLossError */
export function decodeCheckpoint(bytes: Uint8Array): TrainingCheckpoint {
  const { metadata, tensors } = decodeTensors(bytes);
  const { classifier, history } = tensors;
  const { format, training } = metadata;
  if (training === undefined || classifier?.dtype !== 'U8') throw noCheckpoint();
  const { data } = classifier as { data: Uint8Array };
  if (format === FORMAT_WITHOUT_HISTORY_TENSOR)
    return { ...(JSON.parse(training) as TrainingCheckpoint), classifier: data };
  if (format !== FORMAT || history?.dtype !== 'U8' || history.shape[1] !== EPOCH_BYTES) throw noCheckpoint();
  const rest = JSON.parse(training) as Omit<TrainingCheckpoint, 'classifier' | 'history'>;
  return { ...rest, history: historyOf(history.data as Uint8Array), classifier: data };
}

function historyTensor(history: readonly EpochMetrics__Output[]): NamedTensor {
  const numbers = new DataView(new ArrayBuffer(history.length * EPOCH_BYTES));
  history.forEach(({ epoch, loss, learningRate }, row) => {
    [epoch, loss, learningRate].forEach((value, at) => numbers.setFloat64(row * EPOCH_BYTES + at * 8, value, true));
  });
  return { dtype: 'U8', shape: [history.length, EPOCH_BYTES], data: new Uint8Array(numbers.buffer) };
}

function historyOf(bytes: Uint8Array): EpochMetrics__Output[] {
  const numbers = new DataView(bytes.buffer, bytes.byteOffset);
  return Array.from({ length: bytes.length / EPOCH_BYTES }, (_, row) => {
    const [epoch, loss, learningRate] = [0, 8, 16].map((at) => numbers.getFloat64(row * EPOCH_BYTES + at, true));
    return { epoch: epoch!, loss: loss!, learningRate: learningRate! };
  });
}

function noCheckpoint(): DataLossError {
  return new DataLossError('this blob is no checkpoint of a training', { code: 'CHECKPOINT_DAMAGED' });
}
