import type { LabelledShard__Output } from '@bbdistill/common/gen/bbdistill/v1/LabelledShard.js';
import type { TrainingRecipe__Output } from '@bbdistill/common/gen/bbdistill/v1/TrainingRecipe.js';

/** Portions of the steps and of the images that an overlapped training is planned in. */
const PORTIONS = 20;
/** So many portions of the images are there before the first step, and of the steps are left after the last answer. */
const PORTIONS_AHEAD = 2;
/** How often a part draws the images that the one before did not have; the others, that were drawn before, once. */
const NEWEST_DRAWS = 4;
/** How far the learning rate's schedule is when all images are there: what comes late must be learned at a high rate. */
const LAST_PLACE_WITHOUT_ALL = 0.5;
/** Up to so much of the steps, batches are mixed: the images are few then, and each is drawn again and again. */
const MIXED_STEPS = 0.5;
const MIXUP_ALPHA = 1;

type PartedRecipe = Pick<TrainingRecipe__Output, 'batch' | 'epochs' | 'batchMixupAlpha'>;

/** Some steps of a training and the shards that they draw from. */
export interface PlannedPart {
  /** The first so many shards. */
  shards: number;
  firstStep: number;
  /** The first step that isn't done any more. */
  endStep: number;
  totalSteps: number;
  /** Of the last so many images, each is drawn `newestDraws` times as often as of the others. */
  newestImages: number;
  newestDraws: number;
  /** How much of the learning-rate schedule is over at the first step and at the end, 0 to 1. */
  scheduleFrom: number;
  scheduleTo: number;
  /** In place of the recipe's. */
  batchMixupAlpha: number;
}

/**
 * The schedule of a training that begins before all answers are there (DESIGN.md §7): it begins with the first tenth of
 * the images, takes a twentieth more of them, in whole shards, every twentieth of its steps, and has all of them for the
 * last tenth. It depends on the sizes of the shards alone, so that neither the order nor the time of arrival changes
 * the student.
 * @param images of each shard, in their order
 */
export function trainingParts(images: readonly number[], recipe: PartedRecipe): PlannedPart[] {
  const { batchMixupAlpha } = recipe;
  const portions = portionsOf(images, recipe);
  const { endStep: totalSteps } = portions.at(-1)!;
  // 0 where all images are there from the beginning: it is the training that waits.
  const hasAllFrom = portions[portions.findIndex(({ shards }) => shards === images.length) - 1]?.endStep ?? 0;
  const placeOf = (step: number) =>
    step < hasAllFrom
      ? (LAST_PLACE_WITHOUT_ALL * step) / hasAllFrom
      : 1 - ((hasAllFrom > 0 ? 1 - LAST_PLACE_WITHOUT_ALL : 1) * (totalSteps - step)) / (totalSteps - hasAllFrom);
  return portions.map(({ endStep, ...portion }, at) => {
    const firstStep = portions[at - 1]?.endStep ?? 0;
    return {
      ...portion,
      firstStep,
      endStep,
      totalSteps,
      newestDraws: NEWEST_DRAWS,
      scheduleFrom: placeOf(firstStep),
      scheduleTo: placeOf(endStep),
      batchMixupAlpha: endStep <= totalSteps * MIXED_STEPS ? batchMixupAlpha || MIXUP_ALPHA : batchMixupAlpha,
    };
  });
}

/**
 * How many of a part's newest images are trained on: those without an answer are not.
 * @param newest the shards that the part before did not have
 */
export function newestTrainedOn(
  { newestImages }: Pick<PlannedPart, 'newestImages'>,
  newest: readonly Pick<LabelledShard__Output, 'answers'>[],
): number {
  const unanswered = sum(newest.map(({ answers }) => answers?.unanswered ?? 0));
  return Math.max(0, newestImages - unanswered);
}

type Portion = Pick<PlannedPart, 'shards' | 'newestImages' | 'endStep'>;

function portionsOf(images: readonly number[], { batch, epochs }: PartedRecipe): Portion[] {
  const total = sum(images);
  const least = Math.min(batch, total);
  const totalSteps = Math.max(1, Math.floor(total / least)) * epochs;
  const portions: Portion[] = [];
  for (let portion = 0; portion < PORTIONS; portion++) {
    const wanted = Math.min(total, Math.ceil((total * (portion + PORTIONS_AHEAD)) / PORTIONS));
    // A part with less than a batch would be trained in smaller ones.
    const shards = shardsThatHold(images, Math.max(least, wanted));
    const endStep = Math.round((totalSteps * (portion + 1)) / PORTIONS);
    const before = portions.at(-1);
    if (endStep === (before?.endStep ?? 0)) continue;
    const newestImages = before ? sum(images.slice(before.shards, shards)) : 0;
    if (before?.shards === shards && before.newestImages === 0) before.endStep = endStep;
    else portions.push({ shards, newestImages, endStep });
  }
  return portions;
}

function shardsThatHold(images: readonly number[], wanted: number): number {
  let held = 0;
  const last = images.findIndex((count) => (held += count) >= wanted);
  return last < 0 ? images.length : last + 1;
}

function sum(counts: readonly number[]): number {
  return counts.reduce((total, count) => total + count, 0);
}
