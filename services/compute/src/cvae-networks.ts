import { InvalidArgumentError, describeShape, pixelsPerImage } from '@bbdistill/common/base';
import type { ImageShape } from '@bbdistill/common/base';
import type { CvaeArchitecture, CvaeOptions } from './engine.js';
import { IMAGE_INPUT } from './layers.js';
import type { Activation, LayerSpec } from './layers.js';
import type { LayerGraph } from './network-shapes.js';

/** The class [K], fed to both halves. */
export const CONDITION_INPUT = 'condition';
/** z [latent], fed to the decoder. */
export const LATENT_INPUT = 'latent';

/** Hidden sizes of the paper's dense encoder. */
export const PAPER_DENSE_CVAE: CvaeArchitecture = { kind: 'dense', hidden: [256, 128, 64] };
/** The paper's for CIFAR: convolutions down to one pixel of a 32x32 image. */
export const PAPER_CONVOLUTIONAL_CVAE: Extract<CvaeArchitecture, { kind: 'convolutional' }> = {
  kind: 'convolutional',
  filters: [32, 64, 128, 256, 512],
  hidden: [32, 16],
};

/**
 * Numbers of an image up to which `auto` takes the convolutional CVAE: its last layer has their square of weights.
 * Above the 3072 of the paper's images, below what a network may take.
 */
export const MAX_CONVOLUTIONAL_VALUES = 6144;
/** H·W·C of an image, beyond which a dense CVAE has more weights than a few images can teach it. */
export const MAX_DENSE_CVAE_VALUES = 64 * 64 * 3;
/** Images of one step of a fit. */
export const MAX_CVAE_BATCH = 4096;
/** Halvings without which the convolutional CVAE is none. */
const MIN_HALVINGS = 3;

export const CVAE_ARCHITECTURES = ['auto', 'dense', 'convolutional'] as const;
export type CvaeArchitectureName = (typeof CVAE_ARCHITECTURES)[number];

/**
 * The paper's architecture for images of this shape. `auto`: convolutional for colour whose edges can be halved three
 * times or more, dense for all else. An image that can't be halved five times gets fewer of the convolutions.
 * @throws InvalidArgumentError where the architecture doesn't suit the shape
 */
export function paperCvae(name: CvaeArchitectureName, shape: ImageShape): CvaeArchitecture {
  if (name === 'dense') return denseCvae(shape);
  const { filters, hidden } = PAPER_CONVOLUTIONAL_CVAE;
  const halvings = Math.min(filters.length, halvingsOf(shape.height), halvingsOf(shape.width));
  const suits = halvings >= MIN_HALVINGS && pixelsPerImage(shape) <= MAX_CONVOLUTIONAL_VALUES;
  if (name === 'auto' && !(suits && shape.channels > 1)) return denseCvae(shape);
  if (!suits) {
    throw new InvalidArgumentError(
      `the convolutional CVAE takes images whose edges are multiples of ${STRIDE ** MIN_HALVINGS}, of at most ` +
        `${MAX_CONVOLUTIONAL_VALUES} numbers, not ${describeShape(shape)}; resize the images or use the dense CVAE`,
      { code: 'CVAE_SHAPE' },
    );
  }
  return { kind: 'convolutional', filters: filters.slice(0, halvings), hidden };
}

function denseCvae(shape: ImageShape): CvaeArchitecture {
  if (pixelsPerImage(shape) <= MAX_DENSE_CVAE_VALUES) return PAPER_DENSE_CVAE;
  throw new InvalidArgumentError(
    `the dense CVAE takes images of up to ${MAX_DENSE_CVAE_VALUES} values, not ${describeShape(shape)}: ` +
      'resize the images, or leave the CVAE out (drop_below 0, cvae_share 0)',
    { code: 'IMAGE_TOO_LARGE' },
  );
}

function halvingsOf(edge: number): number {
  let halvings = 0;
  for (let left = edge; left > 0 && left % STRIDE === 0; left /= STRIDE) halvings++;
  return halvings;
}

const KERNEL = 4;
const STRIDE = 2;

/** The two halves of a conditional VAE. */
export interface CvaeGraphs {
  /** `image` and `condition` → 2·latent flat values: means, then log-variances. */
  encoder: LayerGraph;
  /** `latent` and `condition` → H·W·C logits of the pixels; their sigmoid is the image. */
  decoder: LayerGraph;
}

/**
 * The layers of a CVAE (FS-BBT, ECCV 2022, section 4.1 and its scripts); names are those of its weights.
 * @throws InvalidArgumentError where the image doesn't suit the architecture
 */
export function cvaeGraphs(options: Pick<CvaeOptions, 'shape' | 'classes' | 'latent' | 'architecture'>): CvaeGraphs {
  const { shape, classes, latent, architecture } = options;
  const condition = { name: CONDITION_INPUT, shape: flat(classes), isFlat: true };
  const { encoder, decoder } =
    architecture.kind === 'dense'
      ? denseLayers(architecture.hidden, pixelsPerImage(shape), latent)
      : convolutionalLayers(architecture.filters, architecture.hidden, shape, latent);
  return {
    encoder: {
      name: "the CVAE's encoder",
      inputs: [{ name: IMAGE_INPUT, shape, isFlat: false }, condition],
      layers: encoder,
    },
    decoder: {
      name: "the CVAE's decoder",
      inputs: [{ name: LATENT_INPUT, shape: flat(latent), isFlat: true }, condition],
      layers: decoder,
    },
  };
}

function denseLayers(hidden: readonly number[], pixels: number, latent: number) {
  const encoder: LayerSpec[] = [
    { kind: 'flatten', name: 'encoder/flatten' },
    { kind: 'concat', name: 'encoder/join', inputs: ['encoder/flatten', CONDITION_INPUT] },
    ...hidden.map((units, i) => dense(`encoder/dense${i + 1}`, units)),
    dense('encoder/latent', 2 * latent, 'linear'),
  ];
  const decoder: LayerSpec[] = [
    { kind: 'concat', name: 'decoder/join', inputs: [LATENT_INPUT, CONDITION_INPUT] },
    ...[...hidden].reverse().map((units, i) => dense(`decoder/dense${i + 1}`, units)),
    dense('decoder/pixels', pixels, 'linear'),
  ];
  return { encoder, decoder };
}

function convolutionalLayers(filters: readonly number[], hidden: readonly number[], shape: ImageShape, latent: number) {
  const { height, width, channels } = shape;
  const shrink = STRIDE ** filters.length;
  if (filters.length === 0 || height % shrink !== 0 || width % shrink !== 0) {
    throw new InvalidArgumentError(
      `the convolutional CVAE halves an image ${filters.length} times: its edges must be multiples of ${shrink}, but ` +
        `it is ${describeShape(shape)}; resize the images or use the dense CVAE`,
      { code: 'CVAE_SHAPE' },
    );
  }
  const deepest = filters.at(-1)!;
  const core = { height: height / shrink, width: width / shrink, channels: deepest };
  const plane = { height, width, channels: 1 };
  const encoder: LayerSpec[] = [
    { ...dense('encoder/plane', height * width, 'linear'), inputs: [CONDITION_INPUT] },
    { kind: 'reshape', name: 'encoder/as-plane', shape: plane },
    { kind: 'concat', name: 'encoder/join', inputs: [IMAGE_INPUT, 'encoder/as-plane'] },
    ...filters.map((count, i): LayerSpec => ({ kind: 'conv2d', name: `encoder/conv${i + 1}`, ...halving(count) })),
    { kind: 'flatten', name: 'encoder/flatten' },
    ...hidden.map((units, i) => dense(`encoder/dense${i + 1}`, units)),
    dense('encoder/latent', 2 * latent, 'linear'),
  ];
  const decoder: LayerSpec[] = [
    { kind: 'concat', name: 'decoder/join', inputs: [LATENT_INPUT, CONDITION_INPUT] },
    ...[...hidden].reverse().map((units, i) => dense(`decoder/dense${i + 1}`, units)),
    dense(`decoder/dense${hidden.length + 1}`, pixelsPerImage(core)),
    { kind: 'reshape', name: 'decoder/as-image', shape: core },
    ...[...filters]
      .reverse()
      .map((count, i): LayerSpec => ({ kind: 'conv2d-transpose', name: `decoder/conv${i + 1}`, ...halving(count) })),
    {
      ...{ kind: 'conv2d-transpose', name: `decoder/conv${filters.length + 1}`, filters: channels },
      ...{ kernelSize: KERNEL, padding: 'same', activation: 'relu' },
    },
    { kind: 'flatten', name: 'decoder/flatten' },
    dense('decoder/pixels', pixelsPerImage(shape), 'linear'),
  ];
  return { encoder, decoder };
}

function halving(filters: number) {
  return { filters, kernelSize: KERNEL, strides: STRIDE, padding: 'same', activation: 'relu' } as const;
}

function dense(name: string, units: number, activation: Activation = 'relu'): LayerSpec {
  return { kind: 'dense', name, units, activation };
}

function flat(channels: number): ImageShape {
  return { height: 1, width: 1, channels };
}
