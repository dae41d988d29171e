import { DataLossError, decodeTensors, encodeTensors } from '@bbdistill/common/base';
import type { ImageShape, NamedTensor } from '@bbdistill/common/base';
import type { WeightTensor } from '../engine.js';

/** A trained student as it is stored: what rebuilds the network, and its weights. */
export interface TrainedWeights {
  /** A name that the networks table knows, e.g. `lenet5-half`, or that of the topology. */
  network: string;
  /** Of a network that isn't ours, as JSON; absent for those that are. */
  topology?: string;
  classes: number;
  shape: ImageShape;
  weights: WeightTensor[];
}

const FORMAT = 'bbdistill-weights-1';

/** Weights in Keras layouts as safetensors; the same weights give the same bytes. */
export function encodeWeights({ network, topology, classes, shape, weights }: TrainedWeights): Uint8Array {
  return encodeTensors({
    metadata: {
      format: FORMAT,
      network,
      ...(topology !== undefined && { topology }),
      classes: String(classes),
      shape: `${shape.height},${shape.width},${shape.channels}`,
    },
    tensors: Object.fromEntries(weights.map(({ name, shape: sizes, data }) => [name, tensorOf(sizes, data)])),
  });
}

/**
 * @returns the weights in the order of the file; `setWeights` goes by their names
 * @throws DataLossError where the bytes are no weights of a student
 */
export function decodeWeights(bytes: Uint8Array): TrainedWeights {
  const { metadata, tensors } = decodeTensors(bytes);
  const [height, width, channels] = (metadata['shape'] ?? '').split(',').map(Number);
  const classes = Number(metadata['classes']);
  const { network, topology } = metadata;
  if (metadata['format'] !== FORMAT || !network || !classes || !height || !width || !channels) {
    throw new DataLossError(
      `this blob holds no trained student: its format is ${metadata['format'] ?? 'not named'}, not ${FORMAT}`,
      { code: 'WEIGHTS_DAMAGED' },
    );
  }
  return {
    network,
    ...(topology !== undefined && { topology }),
    classes,
    shape: { height, width, channels },
    weights: Object.entries(tensors).map(([name, tensor]) => weightOf(name, tensor)),
  };
}

/**
 * The tensor of one layer by name.
 * @throws DataLossError where it is missing
 */
export function weightNamed(weights: readonly WeightTensor[], name: string): WeightTensor {
  const found = weights.find((weight) => weight.name === name);
  if (!found) throw new DataLossError(`the weights lack the tensor ${name}`, { code: 'WEIGHTS_DAMAGED' });
  return found;
}

function tensorOf(shape: readonly number[], data: Float32Array): NamedTensor {
  return { dtype: 'F32', shape, data };
}

function weightOf(name: string, { dtype, shape, data }: NamedTensor): WeightTensor {
  if (dtype !== 'F32') {
    throw new DataLossError(`the weight ${name} is of dtype ${dtype}, not F32`, { code: 'WEIGHTS_DAMAGED' });
  }
  return { name, shape, data: data as Float32Array };
}
