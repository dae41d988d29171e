import { RandomStream } from '@bbdistill/common';
import type { ImageBatch } from '@bbdistill/common';
import type { RunSpec__Output } from '@bbdistill/common/gen/bbdistill/v1/RunSpec.js';
import { recipeNamed } from '@bbdistill/student-trainer';

const IMAGES = 20;
const SYNTHETIC = 40;
const SHAPE = { height: 12, width: 12, channels: 1 };

/** Noise: no two are alike. */
export function chaosImages(count = IMAGES, seed = 1): ImageBatch {
  const random = new RandomStream(seed, 'chaos-images');
  const pixels = Uint8Array.from({ length: count * SHAPE.height * SHAPE.width }, () => random.integer(256));
  return { count, shape: SHAPE, pixels };
}

/** A small run with every stage. Another seed makes other synthetic images, which the teacher wasn't asked about. */
export function chaosSpec(images: string, seed: number, changes: Partial<RunSpec__Output> = {}): RunSpec__Output {
  const { mix, cvae, training } = recipeNamed('paper', false);
  return {
    name: `chaos ${seed}`,
    teacher: 'metered',
    images,
    test: '',
    classes: 4,
    classNames: [],
    synthesis: {
      images: SYNTHETIC,
      mixupAlpha: mix.alpha,
      dropBelow: mix.dropBelow,
      mixupShare: mix.mixupShare,
      cutmixShare: mix.cutmixShare,
      augmentedShare: mix.augmentedShare,
      cvaeShare: mix.cvaeShare,
      source: mix.source,
      cvae: { ...cvae, epochs: 3, batch: 16 },
    },
    student: {
      network: 'lenet5-half',
      topology: '',
      recipeName: 'paper',
      recipe: { ...training, epochs: 3, batch: 16 },
    },
    evaluation: { teacherImages: 0, standardKd: false },
    budget: { images: 1_000, _images: 'images' },
    engine: 'wasm',
    threads: 1,
    overlap: false,
    seed,
    ...changes,
  };
}
