import { InvalidArgumentError, assertNatural, assertSeed, requiredBlob, requiredField } from '@bbdistill/common';
import type { CvaeConfig__Output } from '@bbdistill/common/gen/bbdistill/v1/CvaeConfig.js';
import type { FitRequest__Output } from '@bbdistill/common/gen/bbdistill/v1/FitRequest.js';
import type { GenerateRequest__Output } from '@bbdistill/common/gen/bbdistill/v1/GenerateRequest.js';
import type { MixRequest__Output } from '@bbdistill/common/gen/bbdistill/v1/MixRequest.js';
import {
  CVAE_ARCHITECTURES,
  MAX_CVAE_BATCH,
  NO_SOURCE_AUGMENTATION,
  assertMixOptions,
  engineNamed,
  paperCvae,
} from '@bbdistill/compute';
import type { CvaeArchitectureName, MixOptions } from '@bbdistill/compute';

/** More than any of the paper's sets by far; keeps a typing error from filling a disk. */
export const MAX_IMAGES_PER_REQUEST = 10_000_000;
export const MAX_FIT_EPOCHS = 100_000;
export const MAX_LATENT = 512;
export const MAX_CLASSES = 10_000;

/** The request with every field checked; what the job handlers read. */
export function fitRequestOf(request: FitRequest__Output) {
  if (request.data.length === 0) throw new InvalidArgumentError('data is empty: give the labelled real images');
  const cvae = requiredField('cvae', request.cvae);
  const architecture = architectureOf(cvae);
  const shape = requiredField('data[0].images.shape', request.data[0]?.images?.shape);
  paperCvae(architecture, shape);
  assertSeed(request.seed);
  assertNatural('classes', request.classes, MAX_CLASSES);
  assertNatural('cvae.epochs', cvae.epochs, MAX_FIT_EPOCHS);
  assertNatural('cvae.batch', cvae.batch, MAX_CVAE_BATCH);
  assertNatural('cvae.latent', cvae.latent, MAX_LATENT);
  if (!(cvae.learningRate > 0 && cvae.learningRate <= 1)) {
    throw new InvalidArgumentError(
      `cvae.learning_rate is ${cvae.learningRate}: it must be above 0 and at most 1 (paper: 0.001)`,
    );
  }
  return {
    data: request.data,
    classes: request.classes,
    engine: engineNamed(request.engine),
    options: {
      architecture,
      epochs: cvae.epochs,
      batch: cvae.batch,
      latent: cvae.latent,
      learningRate: cvae.learningRate,
      seed: request.seed,
    },
  };
}

export function generateRequestOf(request: GenerateRequest__Output) {
  const generator = requiredBlob('generator', request.generator);
  assertSeed(request.seed);
  assertNatural('count', request.count, MAX_IMAGES_PER_REQUEST);
  return { generator, count: request.count, seed: request.seed, engine: engineNamed(request.engine) };
}

export function mixRequestOf(request: MixRequest__Output) {
  if (request.images.length === 0) throw new InvalidArgumentError('images is empty: give the real images');
  assertSeed(request.seed);
  assertNatural('count', request.count, MAX_IMAGES_PER_REQUEST);
  const options: MixOptions = {
    alpha: request.alpha,
    dropBelow: request.dropBelow,
    mixupShare: request.mixupShare,
    cutmixShare: request.cutmixShare,
    augmentedShare: request.augmentedShare,
    cvaeShare: request.cvaeShare,
    source: request.source ?? NO_SOURCE_AUGMENTATION,
    seed: request.seed,
  };
  assertMixOptions(options);
  return { images: request.images, count: request.count, options };
}

function architectureOf({ architecture }: CvaeConfig__Output): CvaeArchitectureName {
  const found = CVAE_ARCHITECTURES.find((name) => name === (architecture || 'auto'));
  if (found) return found;
  throw new InvalidArgumentError(
    `cvae.architecture is "${architecture}": use one of ${CVAE_ARCHITECTURES.join(', ')}`,
    { code: 'CVAE_ARCHITECTURE' },
  );
}
