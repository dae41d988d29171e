import { InvalidArgumentError, MAX_IMAGES_PER_SHARD } from '@bbdistill/common';
import type { ImageShape, RequestReadOf, ResponseReadOf } from '@bbdistill/common';
import type { Budget, Phase } from './ledger-record.js';
import type { TeacherConfig } from './registry.js';
import type { TeacherFacts } from './teacher.js';
import type { QueryCounts, UsageLine } from './usage.js';

type Service = 'bbdistill.v1.TeacherService';
export type LabelRequest = RequestReadOf<Service, 'SubmitLabel'>;
export type LabelResult = ResponseReadOf<Service, 'LookUp'>;
type WirePhase = LabelRequest['phase'];
type WireUsageLine = ResponseReadOf<Service, 'Usage'>['lines'][number];
type WireDescription = ResponseReadOf<Service, 'DescribeTeacher'>;

const PHASES: Record<Phase, WirePhase> = {
  seeds: 'PHASE_SEEDS',
  mixup: 'PHASE_MIXUP',
  cvae: 'PHASE_CVAE',
  evaluation: 'PHASE_EVALUATION',
};

/** @throws InvalidArgumentError where none is given */
export function phaseFromWire(phase: WirePhase): Phase {
  const found = (Object.keys(PHASES) as Phase[]).find((name) => PHASES[name] === phase);
  if (!found) throw new InvalidArgumentError('phase is missing: say what the images are asked for, e.g. PHASE_SEEDS');
  return found;
}

/** @throws InvalidArgumentError */
export function budgetFromWire(budget: LabelRequest['budget']): Budget {
  for (const key of ['images', 'moneyMicros'] as const) {
    const value = budget?.[key];
    if (value !== undefined && (!Number.isSafeInteger(value) || value < 0)) {
      throw new InvalidArgumentError(`budget.${key} is ${value}: it has to be a whole number, 0 or more`);
    }
  }
  return {
    ...(budget?.images !== undefined && { images: budget.images }),
    ...(budget?.moneyMicros !== undefined && { moneyMicros: budget.moneyMicros }),
  };
}

/** @throws InvalidArgumentError */
export function checkLabelRequest(request: LabelRequest): void {
  phaseFromWire(request.phase);
  budgetFromWire(request.budget);
  if (!request.runId) throw new InvalidArgumentError('runId is missing: the ledger keeps one account per run');
  checkClasses(request.classes);
  checkShard(request.images);
}

export function checkClasses(classes: number): void {
  if (classes < 2) throw new InvalidArgumentError(`classes is ${classes}: a classifier has 2 or more`);
}

/** @returns the hash of the shard's blob */
export function checkShard(shard: LabelRequest['images']): string {
  if (!shard?.blob?.sha256) throw new InvalidArgumentError('images is missing: give the reference of an image shard');
  if (shard.images > MAX_IMAGES_PER_SHARD) {
    throw new InvalidArgumentError(`a shard of ${shard.images} images is too long: at most ${MAX_IMAGES_PER_SHARD}`);
  }
  return shard.blob.sha256;
}

/** @throws InvalidArgumentError */
export function shapeFromWire(shape: RequestReadOf<Service, 'Label'>['shape']): ImageShape {
  if (!shape || shape.height < 1 || shape.width < 1 || (shape.channels !== 1 && shape.channels !== 3)) {
    throw new InvalidArgumentError(
      'the first message needs the shape of the images: height and width of 1 or more, 1 or 3 channels',
    );
  }
  return { height: shape.height, width: shape.width, channels: shape.channels };
}

export function usageLineToWire(line: UsageLine): WireUsageLine {
  const { teacher, run, phase, counts, costMicros, currency } = line;
  return { teacher, runId: run, phase: PHASES[phase], counts: { ...counts }, costMicros, currency };
}

export function countsToWire(counts: QueryCounts): NonNullable<LabelResult['counts']> {
  return { ...counts };
}

export function descriptionToWire(
  config: TeacherConfig,
  facts: TeacherFacts,
  cacheIdentity: string,
  answerKind: string,
): WireDescription {
  const { imagesPerSecond, callsPerMinute, imagesPerCall } = config.limits;
  const byCalls = callsPerMinute === undefined ? Infinity : (callsPerMinute / 60) * imagesPerCall;
  const limit = Math.min(imagesPerSecond ?? Infinity, byCalls);
  return {
    name: config.name,
    adapter: facts.adapter,
    endpoint: facts.endpoint,
    cacheIdentity,
    classes: facts.classes ?? 0,
    inputShape: facts.inputShape ?? null,
    answerKind,
    imagesPerCall,
    imagesPerSecond: Number.isFinite(limit) ? limit : 0,
    pricePerImageMicros: config.price.perImageMicros,
    pricePerCallMicros: config.price.perCallMicros,
    currency: config.price.currency,
    ready: facts.ready,
    detail: facts.detail,
  };
}
