import {
  InvalidArgumentError,
  assertInRange,
  assertNatural,
  assertSeed,
  requiredBlob,
  requiredField,
} from '@bbdistill/common';
import type { ImageShape } from '@bbdistill/common';
import type { EvaluateRequest__Output } from '@bbdistill/common/gen/bbdistill/v1/EvaluateRequest.js';
import type { ExportRequest__Output } from '@bbdistill/common/gen/bbdistill/v1/ExportRequest.js';
import type { TrainRequest__Output } from '@bbdistill/common/gen/bbdistill/v1/TrainRequest.js';
import type { TrainingPart__Output } from '@bbdistill/common/gen/bbdistill/v1/TrainingPart.js';
import {
  MAX_TRAINING_THREADS,
  assertRecipe,
  assertThreadsFit,
  engineNamed,
  studentNetwork,
  threadsFault,
} from '@bbdistill/compute';
import type { EngineName, NetworkSpec } from '@bbdistill/compute';

export const MAX_CLASSES = 10_000;
const MAX_NEWEST_DRAWS = 100;

/** @throws InvalidArgumentError naming the field, its value and its range */
export function assertTrainRequest(request: TrainRequest__Output): EngineName {
  if (request.data.length === 0) throw new InvalidArgumentError('data is empty: give labelled shards to train on');
  assertNatural('classes', request.classes, MAX_CLASSES);
  assertSeed(request.seed);
  const recipe = requiredField('recipe', request.recipe);
  assertRecipe(recipe);
  const network = networkOf(request);
  const engine = engineNamed(request.engine);
  assertThreads(request.threads, engine);
  assertThreadsFit(network, recipe.batch, request.threads);
  if (request.part) assertPart(request.part, imagesOf(request));
  return engine;
}

function assertPart(part: TrainingPart__Output, images: number): void {
  const { firstStep, endStep, totalSteps, checkpoint, newestImages, newestDraws, scheduleFrom, scheduleTo } = part;
  if (!(firstStep < endStep && endStep <= totalSteps)) {
    throw new InvalidArgumentError(
      `part is steps ${firstStep} to ${endStep} of ${totalSteps}: it takes first_step < end_step <= total_steps`,
    );
  }
  if (firstStep > 0 && !checkpoint) {
    throw new InvalidArgumentError(`part begins at step ${firstStep}: give the checkpoint of the part before`);
  }
  assertInRange('part.newest_images', newestImages, 0, images);
  if (newestImages > 0) assertNatural('part.newest_draws', newestDraws, MAX_NEWEST_DRAWS);
  if (!(scheduleFrom >= 0 && scheduleFrom < scheduleTo && scheduleTo <= 1)) {
    throw new InvalidArgumentError(
      `part takes the schedule from ${scheduleFrom} to ${scheduleTo}: it takes 0 <= schedule_from < schedule_to <= 1`,
    );
  }
}

/**
 * @param threads 0 = as the trainer is set
 * @throws InvalidArgumentError
 */
export function assertThreads(threads: number, engine: EngineName): void {
  assertInRange('threads', threads, 0, MAX_TRAINING_THREADS);
  const fault = threadsFault(engine, threads);
  if (fault !== undefined) throw new InvalidArgumentError(fault);
}

function imagesOf({ data }: TrainRequest__Output): number {
  return data.reduce((sum, { images }) => sum + (images?.images ?? 0), 0);
}

/** The student that the request names, for the shape of its images. */
export function networkOf(request: TrainRequest__Output): NetworkSpec {
  const shape: ImageShape = requiredField('data[0].images.shape', request.data[0]?.images?.shape);
  return studentNetwork(request, shape, request.classes);
}

/** @throws InvalidArgumentError */
export function assertEvaluateRequest(request: EvaluateRequest__Output): EngineName {
  requiredBlob('weights', request.weights);
  if (request.images.length === 0) throw new InvalidArgumentError('images is empty: give shards to evaluate on');
  if (request.labels) requiredBlob('labels', request.labels);
  if (request.answers.length !== 0 && request.answers.length !== request.images.length) {
    throw new InvalidArgumentError(
      `there are ${request.answers.length} shards of answers for ${request.images.length} shards of images: ` +
        'give one for each, or none',
    );
  }
  return engineNamed(request.engine);
}

/** @throws InvalidArgumentError */
export function assertExportRequest(request: ExportRequest__Output): void {
  requiredBlob('weights', request.weights);
  if (request.name === '' || request.name.length > 200) {
    throw new InvalidArgumentError(`name is "${request.name}": give the student a name of 1 to 200 characters`);
  }
}
