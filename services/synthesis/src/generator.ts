import { DataLossError, decodeTensors, encodeTensors } from '@bbdistill/common/base';
import type { ImageShape } from '@bbdistill/common/base';
import type { WeightTensor } from '@bbdistill/compute';

/** A fitted CVAE as it is stored: what rebuilds its decoder, and the decoder's weights. */
export interface Generator {
  shape: ImageShape;
  classes: number;
  /** Size of z. */
  latent: number;
  /** Encoder's hidden sizes; the decoder mirrors them. */
  hidden: readonly number[];
  weights: WeightTensor[];
}

const FORMAT = 'bbdistill-generator-1';

export function isDecoderWeight(name: string): boolean {
  return name.startsWith('decoder/');
}

/** The decoder alone as safetensors: generating needs no more. */
export function encodeGenerator({ shape, classes, latent, hidden, weights }: Generator): Uint8Array {
  const decoder = weights.filter(({ name }) => isDecoderWeight(name));
  return encodeTensors({
    metadata: {
      format: FORMAT,
      architecture: 'dense',
      shape: `${shape.height},${shape.width},${shape.channels}`,
      classes: String(classes),
      latent: String(latent),
      hidden: hidden.join(','),
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
  const hidden = (metadata['hidden'] ?? '').split(',').map(Number);
  const whole = height && width && channels && classes && latent && hidden.every((size) => size > 0);
  if (metadata['format'] !== FORMAT || metadata['architecture'] !== 'dense' || !whole) {
    throw new DataLossError(
      `this blob holds no fitted generator: its format is ${metadata['format'] ?? 'not named'}, not ${FORMAT}`,
      { code: 'GENERATOR_DAMAGED' },
    );
  }
  return {
    shape: { height, width, channels },
    classes,
    latent,
    hidden,
    weights: Object.entries(tensors).map(([name, { shape, data }]) => ({ name, shape, data: data as Float32Array })),
  };
}
