import { MAX_IMAGES_PER_SHARD, grouped, imagesPerShard } from '@bbdistill/common';
import type { Dataset__Output } from '@bbdistill/common/gen/bbdistill/v1/Dataset.js';
import type { PlanRunResponse } from '@bbdistill/common/gen/bbdistill/v1/PlanRunResponse.js';
import type { RateLimit__Output } from '@bbdistill/common/gen/bbdistill/v1/RateLimit.js';
import type { TeacherDescription__Output } from '@bbdistill/common/gen/bbdistill/v1/TeacherDescription.js';
import type { CheckedSpec } from './spec.js';

/** As the limiter of the teacher proxy has it. */
const LONGEST_SPACED_WINDOW_SECONDS = 120;

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
  const asked = images + evaluationImages;
  const perShard = real.shape ? imagesPerShard(real.shape) : MAX_IMAGES_PER_SHARD;
  const perCall = Math.min(teacher.imagesPerCall || perShard, perShard);
  const { dropBelow, cvaeShare } = spec.synthesis;
  // Dropped images come back as images of the CVAE: shards that end by themselves, with a call that isn't full.
  const ends = synthetic > 1 && dropBelow + cvaeShare > 0 ? 1 : 0;
  const evaluationCalls = callsFor(evaluationImages, perShard, perCall);
  const calls =
    Math.min(callsFor(real.images, perShard, perCall), callsAmong(seeds, Math.ceil(real.images / perShard), perCall)) +
    callsFor(synthetic, perShard, perCall) +
    ends +
    evaluationCalls;
  const costOf = (images: number, calls: number) =>
    images * teacher.pricePerImageMicros + calls * teacher.pricePerCallMicros;
  const costMicros = costOf(asked, calls);
  const studentMicros = costOf(images, calls - evaluationCalls);
  const inUnits = (micros: number) => `${micros / 1e6} ${teacher.currency}`;
  const notes: string[] = [];
  if (seeds.distinct < real.images)
    notes.push(`${real.images - seeds.distinct} of the given images are repeated: they are asked once`);
  if (!teacher.ready) notes.push(`the teacher does not answer now: ${teacher.detail}`);
  const ceilings = [
    { whose: 'the budget', images: spec.budget?.images, moneyMicros: spec.budget?.moneyMicros },
    { whose: "the teacher's own budget", images: teacher.imagesLeft, moneyMicros: teacher.moneyLeftMicros },
  ];
  const when = (isBeforeStudent: boolean) =>
    `before ${isBeforeStudent ? 'there is a student' : 'the student is evaluated'}; what is cached already costs nothing`;
  const beyond = ceilings.flatMap(({ whose, images: most = Infinity, moneyMicros = Infinity }) => [
    ...(asked > most
      ? [`${whose} ends it after ${grouped(most)} of up to ${grouped(asked)} images, ${when(images > most)}`]
      : []),
    ...(costMicros > moneyMicros
      ? [
          `${whose} ends it at ${inUnits(moneyMicros)} of up to ${inUnits(costMicros)}, ${when(studentMicros > moneyMicros)}`,
        ]
      : []),
  ]);
  notes.push(...beyond);
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
    labelSeconds: Math.max(0, ...teacher.rates.map((rate) => secondsFor(asked, rate))),
    withinBudget: beyond.length === 0,
    notes,
  };
}

/** In short windows calls are spaced evenly; of a long one all of it may go at once, and then its end is waited for. */
function secondsFor(images: number, rate: RateLimit__Output): number {
  const windows = images / rate.images;
  const spent = rate.windowSeconds <= LONGEST_SPACED_WINDOW_SECONDS ? windows : Math.max(0, Math.ceil(windows) - 1);
  return spent * rate.windowSeconds;
}

/** Calls never cross a shard's end. */
function callsFor(images: number, perShard: number, perCall: number): number {
  const fullShards = Math.floor(images / perShard);
  const rest = images % perShard;
  return fullShards * Math.ceil(perShard / perCall) + Math.ceil(rest / perCall);
}

/** At most, however those without an answer are spread over the shards. */
function callsAmong({ distinct, cached }: PlanInput['seeds'], shards: number, perCall: number): number {
  const images = distinct - cached;
  return images <= shards ? images : Math.floor((images - shards) / perCall) + shards;
}
