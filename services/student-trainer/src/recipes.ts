import { InvalidArgumentError } from '@bbdistill/common';
import type { CvaeConfig__Output } from '@bbdistill/common/gen/bbdistill/v1/CvaeConfig.js';
import type { SourceAugmentation__Output } from '@bbdistill/common/gen/bbdistill/v1/SourceAugmentation.js';
import type { TrainingRecipe__Output } from '@bbdistill/common/gen/bbdistill/v1/TrainingRecipe.js';

/** What is asked: the fields of a MixRequest that a recipe decides. */
export interface MixRecipe {
  alpha: number;
  dropBelow: number;
  mixupShare: number;
  cutmixShare: number;
  augmentedShare: number;
  cvaeShare: number;
  source: SourceAugmentation__Output;
}

/** A way from a few images to a student, with a name. */
export interface Recipe {
  name: string;
  mix: MixRecipe;
  cvae: CvaeConfig__Output;
  training: TrainingRecipe__Output;
}

const PAPER_CVAE: CvaeConfig__Output = {
  architecture: 'auto',
  epochs: 100,
  batch: 256,
  latent: 2,
  learningRate: 1e-3,
};

/** The paper's own recipe for MNIST and Fashion-MNIST: MixUp and CVAE asked, batches mixed and moved afterwards. */
export const PAPER_RECIPE: Recipe = {
  name: 'paper',
  mix: {
    alpha: 1,
    dropBelow: 0.05,
    mixupShare: 1,
    cutmixShare: 0,
    augmentedShare: 0,
    cvaeShare: 0,
    source: { flip: false, rotationDegrees: 0, shift: 0, scale: 0 },
  },
  cvae: PAPER_CVAE,
  training: {
    epochs: 50,
    batch: 64,
    schedule: 'constant',
    learningRate: 1e-3,
    batchMixupAlpha: 1,
    rotationDegrees: 10,
    shift: 0.1,
    flip: false,
    balance: 0,
    temperature: 1,
    weightDecay: 0,
    emaDecay: 0,
  },
};

/**
 * What did best in our trials at the same number of queries: images are moved before they are mixed and asked, no
 * answer is averaged, nothing is moved afterwards. Chosen by the agreement with the teacher on held-out images of
 * Fashion-MNIST's training part, where larger moves, a share of CVAE images and twice the epochs did worse or no better.
 */
export const BEST_RECIPE: Recipe = {
  name: 'best',
  mix: {
    alpha: 1,
    dropBelow: 0,
    mixupShare: 0.5,
    cutmixShare: 0.25,
    augmentedShare: 0.25,
    cvaeShare: 0,
    source: { flip: false, rotationDegrees: 6, shift: 0.05, scale: 0.1 },
  },
  cvae: PAPER_CVAE,
  training: {
    epochs: 20,
    batch: 128,
    schedule: 'one-cycle',
    learningRate: 5e-3,
    batchMixupAlpha: 0,
    rotationDegrees: 0,
    shift: 0,
    flip: false,
    balance: 0,
    temperature: 1,
    weightDecay: 0.05,
    emaDecay: 0,
  },
};

export const RECIPE_NAMES = ['paper', 'best'] as const;

/**
 * @param flips whether a mirrored image is still of its class: not for digits and text. Only `best` asks.
 * @throws InvalidArgumentError for a name that isn't in RECIPE_NAMES
 */
export function recipeNamed(name: string, flips: boolean): Recipe {
  if (name === 'paper') return PAPER_RECIPE;
  if (name === 'best') {
    return { ...BEST_RECIPE, mix: { ...BEST_RECIPE.mix, source: { ...BEST_RECIPE.mix.source, flip: flips } } };
  }
  throw new InvalidArgumentError(`there is no recipe "${name}": use one of ${RECIPE_NAMES.join(', ')}`);
}
