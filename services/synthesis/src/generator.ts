import { DataLossError, decodeTensors, encodeTensors } from '@bbdistill/common/base';
import type { ImageShape } from '@bbdistill/common/base';
import type { CvaeArchitecture, WeightTensor } from '@bbdistill/compute';

/** A fitted CVAE as it is stored: what rebuilds its decoder, and the decoder's weights. */
export interface Generator {
  shape: ImageShape;
  classes: number;
  /** Size of z. */
  latent: number;
  architecture: CvaeArchitecture;
  weights: WeightTensor[];
}

const FORMAT = 'bbdistill-generator-1';

export function isDecoderWeight(name: string): boolean {
  return name.startsWith('decoder/');
}

/** The decoder alone as safetensors: generating needs no more. */
export function encodeGenerator({ shape, classes, latent, architecture, weights }: Generator): Uint8Array {
  const decoder = weights.filter(({ name }) => isDecoderWeight(name));
  return encodeTensors({
    metadata: {
      format: FORMAT,
      architecture: architecture.kind,
      shape: `${shape.height},${shape.width},${shape.channels}`,
      classes: String(classes),
      latent: String(latent),
      hidden: architecture.hidden.join(','),
      ...(architecture.kind === 'convolutional' ? { filters: architecture.filters.join(',') } : {}),
    },
    tensors: Object.fromEntries(
      decoder.map(({ name, shape: sizes, data }) => [name, { dtype: 'F32' as const, shape: sizes, data }]),
    ),
  });
}

/** @throws DataLossError where the bytes are no generator */
export function decodeGenerator(bytes: Uint8Array): Generator {
  const { metadata, tensors } = decodeTensors(bytes);
  const [height, width, channels] = (metadata['shape'] ?? '').split(',').map(Number);
  const classes = Number(metadata['classes']);
  const latent = Number(metadata['latent']);
  const architecture = architectureOf(metadata);
  if (metadata['format'] !== FORMAT || !architecture || !(height && width && channels && classes && latent)) {
    throw new DataLossError(
      `this blob holds no fitted generator: its format is ${metadata['format'] ?? 'not named'}, not ${FORMAT}`,
      { code: 'GENERATOR_DAMAGED' },
    );
  }
  return {
    shape: { height, width, channels },
    classes,
    latent,
    architecture,
    weights: Object.entries(tensors).map(([name, { shape, data }]) => ({ name, shape, data: data as Float32Array })),
  };
}

function architectureOf(metadata: Readonly<Record<string, string>>): CvaeArchitecture | undefined {
  const sizes = (name: string) => (metadata[name] ?? '').split(',').map(Number);
  const [hidden, filters] = [sizes('hidden'), sizes('filters')];
  const allPositive = (numbers: number[]) => numbers.every((size) => size > 0);
  if (!allPositive(hidden)) return undefined;
  if (metadata['architecture'] === 'dense') return { kind: 'dense', hidden };
  if (metadata['architecture'] !== 'convolutional' || !allPositive(filters)) return undefined;
  return { kind: 'convolutional', filters, hidden };
}
