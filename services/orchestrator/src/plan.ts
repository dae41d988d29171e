import { MAX_IMAGES_PER_SHARD, imagesPerShard } from '@bbdistill/common';
import type { Dataset__Output } from '@bbdistill/common/gen/bbdistill/v1/Dataset.js';
import type { PlanRunResponse } from '@bbdistill/common/gen/bbdistill/v1/PlanRunResponse.js';
import type { TeacherDescription__Output } from '@bbdistill/common/gen/bbdistill/v1/TeacherDescription.js';
import type { CheckedSpec } from './spec.js';

export interface PlanInput {
  spec: CheckedSpec;
  real: Dataset__Output;
  teacher: TeacherDescription__Output;
  /** Distinct real images and how many of them have an answer. */
  seeds: { distinct: number; cached: number };
  testImages: number;
}

/** What a run may cost at most. Spends nothing; repeated and cached images make the real figures smaller. */
export function planRun({ spec, real, teacher, seeds, testImages }: PlanInput): PlanRunResponse {
  const synthetic = spec.synthesis.images;
  const images = seeds.distinct - seeds.cached + synthetic;
  const evaluationImages = Math.min(spec.evaluation.teacherImages, testImages);
  const perShard = real.shape ? imagesPerShard(real.shape) : MAX_IMAGES_PER_SHARD;
  const calls = [seeds.distinct - seeds.cached, synthetic, evaluationImages].reduce(
    (sum, asked) => sum + callsFor(asked, perShard, teacher),
    0,
  );
  const costMicros = (images + evaluationImages) * teacher.pricePerImageMicros + calls * teacher.pricePerCallMicros;
  const { budget } = spec;
  const imagesFit = budget?.images === undefined || images + evaluationImages <= budget.images;
  const moneyFits = budget?.moneyMicros === undefined || costMicros <= budget.moneyMicros;
  const notes: string[] = [];
  if (seeds.distinct < real.images)
    notes.push(`${real.images - seeds.distinct} of the given images are repeated: they are asked once`);
  if (!teacher.ready) notes.push(`the teacher does not answer now: ${teacher.detail}`);
  if (!imagesFit)
    notes.push(`at most ${images + evaluationImages} images may be asked, the budget allows ${budget?.images}`);
  if (!moneyFits)
    notes.push(
      `it may cost ${costMicros / 1e6} ${teacher.currency}, the budget allows ${(budget?.moneyMicros ?? 0) / 1e6}`,
    );
  if (teacher.classes > 0 && teacher.classes !== spec.classes) {
    notes.push(`the teacher answers with ${teacher.classes} classes, the student has ${spec.classes}`);
  }
  return {
    images,
    evaluationImages,
    calls,
    knownCached: seeds.cached,
    costMicros,
    currency: teacher.currency,
    labelSeconds: teacher.imagesPerSecond > 0 ? (images + evaluationImages) / teacher.imagesPerSecond : 0,
    withinBudget: imagesFit && moneyFits,
    notes,
  };
}

/** Calls never cross a shard's end. */
function callsFor(images: number, perShard: number, teacher: TeacherDescription__Output): number {
  const perCall = Math.min(teacher.imagesPerCall || perShard, perShard);
  const fullShards = Math.floor(images / perShard);
  const rest = images % perShard;
  return fullShards * Math.ceil(perShard / perCall) + Math.ceil(rest / perCall);
}
