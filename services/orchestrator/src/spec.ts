import {
  BbdError,
  FailedPreconditionError,
  InvalidArgumentError,
  MAX_SHARDS,
  asBbdError,
  assertInRange,
  assertNatural,
  assertSeed,
  describeShape,
  imagesPerShard,
  pixelsPerImage,
  requiredField,
} from '@bbdistill/common';
import type { ImageShape } from '@bbdistill/common';
import {
  CVAE_ARCHITECTURES,
  MAX_CVAE_BATCH,
  MAX_EPOCHS,
  MAX_TRAINING_BYTES,
  MAX_TRAINING_THREADS,
  NO_SOURCE_AUGMENTATION,
  assertMixOptions,
  assertRecipe,
  assertStudent,
  assertThreadsFit,
  assertTrainable,
  engineNamed,
  paperCvae,
  studentNetwork,
  threadsFault,
} from '@bbdistill/compute';
import type { CvaeArchitectureName } from '@bbdistill/compute';
import type { Dataset__Output } from '@bbdistill/common/gen/bbdistill/v1/Dataset.js';
import type { RunSpec__Output } from '@bbdistill/common/gen/bbdistill/v1/RunSpec.js';
import type { SynthesisSpec__Output } from '@bbdistill/common/gen/bbdistill/v1/SynthesisSpec.js';
import type { TrainingRecipe__Output } from '@bbdistill/common/gen/bbdistill/v1/TrainingRecipe.js';

export const MAX_CLASSES = 1000;
/** Of the CVAE's z, as the synthesis service takes it. */
export const MAX_LATENT = 512;
export const MAX_SYNTHETIC_IMAGES = 10_000_000;
const NAME_PATTERN = /^[\p{L}\p{N}][\p{L}\p{N} ._+-]{0,99}$/u;

/** A spec whose messages are all there, as checked by `checkedSpec`. */
export interface CheckedSpec extends RunSpec__Output {
  synthesis: SynthesisSpec__Output & { cvae: NonNullable<SynthesisSpec__Output['cvae']> };
  student: NonNullable<RunSpec__Output['student']> & { recipe: TrainingRecipe__Output };
  evaluation: NonNullable<RunSpec__Output['evaluation']>;
}

/**
 * Refuses what can never work, before anything is spent.
 * @throws InvalidArgumentError naming the field, its value and what it may be
 */
export function checkedSpec(spec: RunSpec__Output): CheckedSpec {
  if (!NAME_PATTERN.test(spec.name)) {
    throw new InvalidArgumentError(
      `name is "${spec.name}": use 1 to 100 letters, digits, spaces, dots, +, - and _, beginning with a letter or digit`,
    );
  }
  if (spec.teacher === '') throw new InvalidArgumentError('teacher is missing: name a registered one');
  if (spec.images === '') throw new InvalidArgumentError('images is missing: upload images and give their id');
  assertNatural('classes', spec.classes, MAX_CLASSES);
  if (spec.classes < 2) throw new InvalidArgumentError(`classes is ${spec.classes}: a classifier needs at least 2`);
  if (spec.classNames.length > 0 && spec.classNames.length !== spec.classes) {
    throw new InvalidArgumentError(
      `class_names has ${spec.classNames.length} names and classes is ${spec.classes}: give as many names as classes`,
    );
  }
  assertSeed(spec.seed);
  const engine = engineNamed(spec.engine);
  assertInRange('threads', spec.threads, 0, MAX_TRAINING_THREADS);
  const fault = threadsFault(engine, spec.threads);
  if (fault !== undefined) throw new InvalidArgumentError(fault);
  const synthesis = checkSynthesis(requiredField('synthesis', spec.synthesis));
  const student = requiredField('student', spec.student);
  const network = assertStudent(student, spec.classes);
  const recipe = requiredField('student.recipe', student.recipe);
  assertRecipe(recipe);
  const evaluation = requiredField('evaluation', spec.evaluation);
  if (!(evaluation.teacherImages >= 0)) {
    throw new InvalidArgumentError(`evaluation.teacher_images is ${evaluation.teacherImages}: it must be 0 or more`);
  }
  if (evaluation.teacherImages > 0 && spec.test === '') {
    throw new InvalidArgumentError(
      `evaluation.teacher_images is ${evaluation.teacherImages} but test is missing: give test images, or set it to 0`,
    );
  }
  return { ...spec, synthesis, student: { ...student, network, recipe }, evaluation };
}

function checkSynthesis(synthesis: SynthesisSpec__Output): CheckedSpec['synthesis'] {
  const { images, mixupShare, cutmixShare, augmentedShare, cvaeShare } = synthesis;
  if (!Number.isInteger(images) || images < 0 || images > MAX_SYNTHETIC_IMAGES) {
    throw new InvalidArgumentError(`synthesis.images is ${images}: it must be in 0..${MAX_SYNTHETIC_IMAGES}`);
  }
  const shares = { mixupShare, cutmixShare, augmentedShare, cvaeShare };
  for (const [name, share] of Object.entries(shares)) assertInRange(`synthesis.${name}`, share, 0, 1e6);
  if (images > 0 && mixupShare + cutmixShare + augmentedShare + cvaeShare <= 0) {
    throw new InvalidArgumentError(
      `synthesis.images is ${images} but all shares are 0: give mixup, cutmix, augmented or cvae a share`,
    );
  }
  assertInRange('synthesis.drop_below', synthesis.dropBelow, 0, 0.49);
  const cvae = requiredField('synthesis.cvae', synthesis.cvae);
  architectureOf(cvae.architecture);
  assertNatural('synthesis.cvae.epochs', cvae.epochs, MAX_EPOCHS);
  assertNatural('synthesis.cvae.batch', cvae.batch, MAX_CVAE_BATCH);
  assertNatural('synthesis.cvae.latent', cvae.latent, MAX_LATENT);
  if (!(cvae.learningRate > 0 && cvae.learningRate <= 1)) {
    throw new InvalidArgumentError(
      `synthesis.cvae.learning_rate is ${cvae.learningRate}: it must be above 0 and at most 1 (paper: 0.001)`,
    );
  }
  if (images > 0) checkMix(synthesis);
  return { ...synthesis, cvae };
}

/** What the synthesis service would refuse, once the real images are paid for. */
function checkMix({ mixupAlpha, source, ...synthesis }: SynthesisSpec__Output): void {
  try {
    assertMixOptions({ ...synthesis, alpha: mixupAlpha, source: source ?? NO_SOURCE_AUGMENTATION, seed: 0 });
  } catch (cause) {
    const { message, code } = asBbdError(cause);
    throw new InvalidArgumentError(`synthesis: ${message}`, { code, cause });
  }
}

function architectureOf(name: string): CvaeArchitectureName {
  const found = CVAE_ARCHITECTURES.find((known) => known === (name || 'auto'));
  if (found) return found;
  throw new InvalidArgumentError(
    `synthesis.cvae.architecture is "${name}": use one of ${CVAE_ARCHITECTURES.join(', ')}`,
  );
}

/**
 * Refuses images that don't fit the spec or one another.
 * @throws InvalidArgumentError, FailedPreconditionError
 */
export function checkDatasets(spec: CheckedSpec, real: Dataset__Output, test: Dataset__Output | undefined): void {
  const { images, cvaeShare, dropBelow } = spec.synthesis;
  if (real.shape) {
    const network = studentNetwork(spec.student, real.shape, spec.classes);
    const { batch } = spec.student.recipe;
    assertTrainable(network, batch);
    assertThreadsFit(network, batch, spec.threads);
    if (images > 0 && cvaeShare + dropBelow > 0)
      paperCvae(architectureOf(spec.synthesis.cvae.architecture), real.shape);
  }
  const shards = real.shards.length + (real.shape ? Math.ceil(images / imagesPerShard(real.shape)) : 0);
  if (shards > MAX_SHARDS && real.shape) {
    const most = (MAX_SHARDS - real.shards.length) * imagesPerShard(real.shape);
    throw new InvalidArgumentError(
      `synthesis.images is ${images}: of images of this size a run can have ${Math.max(0, most)} beside the real ones`,
      { code: 'TOO_MANY_IMAGES' },
    );
  }
  if (real.shape) checkTrainingSize(spec, real.images, real.shape);
  const mixes = spec.synthesis.mixupShare + spec.synthesis.cutmixShare > 0;
  if (images > 0 && mixes && real.images < 2) {
    throw new InvalidArgumentError(
      `there is one image only and synthesis.images is ${images}: mixing needs at least 2 real images`,
      { code: 'TOO_FEW_IMAGES' },
    );
  }
  if (!test) return;
  const [a, b] = [real.shape, test.shape];
  if (a && b && (a.height !== b.height || a.width !== b.width || a.channels !== b.channels)) {
    throw new InvalidArgumentError(
      `the images are ${a.height}x${a.width}x${a.channels} and the test images ${b.height}x${b.width}x${b.channels}: ` +
        'resize one of them',
      { code: 'SHAPE_MISMATCH' },
    );
  }
  if (test.classNames.length > spec.classes) {
    throw new InvalidArgumentError(
      `the test images are of ${test.classNames.length} classes and classes is ${spec.classes}: raise classes`,
      { code: 'TOO_MANY_CLASSES' },
    );
  }
}

/** A training has all of its images, and all of the answers, in one piece each. */
function checkTrainingSize({ synthesis, classes }: CheckedSpec, real: number, shape: ImageShape): void {
  const images = real + synthesis.images;
  const bytesPerImage = Math.max(pixelsPerImage(shape), classes * Float32Array.BYTES_PER_ELEMENT);
  if (images * bytesPerImage <= MAX_TRAINING_BYTES) return;
  const most = Math.floor(MAX_TRAINING_BYTES / bytesPerImage);
  throw new InvalidArgumentError(
    `${real} real and ${synthesis.images} synthetic images of ${describeShape(shape)} are more than a training can hold: ` +
      `with ${classes} classes at most ${most} in all; resize the images, or make fewer`,
    { code: 'TOO_MANY_IMAGES' },
  );
}

/**
 * Refuses true labels that the student can't give.
 * @param labels of the test images, -1 = not known
 * @throws InvalidArgumentError
 */
export function checkTestLabels({ classes }: CheckedSpec, labels: Int32Array): void {
  const wrong = labels.findIndex((label) => label >= classes);
  if (wrong < 0) return;
  throw new InvalidArgumentError(
    `test image ${wrong} has label ${labels[wrong]} and classes is ${classes}: labels are 0..${classes - 1}, or -1 where ` +
      'not known',
    { code: 'LABEL_OUT_OF_RANGE' },
  );
}

/**
 * Refuses a budget that doesn't even cover the real images.
 * @param unanswered real images without a cached answer
 * @throws FailedPreconditionError
 */
export function checkBudget(spec: CheckedSpec, unanswered: number): void {
  const limit = spec.budget?.images;
  if (limit === undefined || limit >= unanswered) return;
  throw new FailedPreconditionError(
    `budget.images is ${limit}, but ${unanswered} of the given images have no answer yet: raise the budget or give fewer images`,
    { code: 'BUDGET_BELOW_IMAGES' },
  );
}

/** @throws BbdError where a repeated request id comes with another spec */
export function refuseOtherSpec(requestId: string): never {
  throw new BbdError('already-exists', `request_id "${requestId}" made another run: choose a new one`, {
    code: 'REQUEST_ID_REUSED',
  });
}
