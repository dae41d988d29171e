import {
  InvalidArgumentError,
  MAX_IMAGES_PER_SHARD,
  MAX_SHARD_BYTES,
  describeShape,
  pixelsPerImage,
} from '@bbdistill/common';
import type { ImageShape, RequestReadOf, ResponseReadOf } from '@bbdistill/common';
import type { Budget, Phase } from './ledger-record.js';
import { SECOND_MS, imagesPerCallWithin, ratesIn } from './limits.js';
import type { Described } from './proxy.js';
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
export function shapeFromWire(
  shape: RequestReadOf<Service, 'Label'>['shape'],
  message = 'the first message',
): ImageShape {
  if (!shape || shape.height < 1 || shape.width < 1 || (shape.channels !== 1 && shape.channels !== 3)) {
    throw new InvalidArgumentError(
      `${message} needs the shape of the images: height and width of 1 or more, 1 or 3 channels`,
    );
  }
  return { height: shape.height, width: shape.width, channels: shape.channels };
}

/** @throws InvalidArgumentError; an image of the shape is made to see how large it is when it is sent */
export function describedShape(shape: RequestReadOf<Service, 'DescribeTeacher'>['shape']): ImageShape | undefined {
  if (!shape) return undefined;
  const checked = shapeFromWire(shape, 'the request');
  if (pixelsPerImage(checked) > MAX_SHARD_BYTES) {
    throw new InvalidArgumentError(
      `no image of ${describeShape(checked)} can be asked about: a shard has at most ${MAX_SHARD_BYTES} bytes`,
    );
  }
  return checked;
}

export function usageLineToWire(line: UsageLine): WireUsageLine {
  const { teacher, run, phase, counts, costMicros, currency } = line;
  return { teacher, runId: run, phase: PHASES[phase], counts: { ...counts }, costMicros, currency };
}

export function countsToWire(counts: QueryCounts): NonNullable<LabelResult['counts']> {
  return { ...counts };
}

export function descriptionToWire(described: Described, answerKind: string): WireDescription {
  const { config, facts, cacheIdentity, bytesPerImage, left } = described;
  const { limits, price } = config;
  const imagesPerCall = imagesPerCallWithin(limits, bytesPerImage, price.perCallMicros > 0);
  const rates = ratesIn(limits, imagesPerCall).map(({ images, windowMs }) => ({
    images,
    windowSeconds: windowMs / SECOND_MS,
  }));
  return {
    name: config.name,
    adapter: facts.adapter,
    endpoint: facts.endpoint,
    cacheIdentity,
    classes: facts.classes ?? 0,
    inputShape: facts.inputShape ?? null,
    answerKind,
    imagesPerCall,
    imagesPerSecond:
      rates.length > 0 ? Math.min(...rates.map(({ images, windowSeconds }) => images / windowSeconds)) : 0,
    pricePerImageMicros: price.perImageMicros,
    pricePerCallMicros: price.perCallMicros,
    currency: price.currency,
    ready: facts.ready,
    detail: facts.detail,
    rates,
    ...(Number.isFinite(left?.images) && { imagesLeft: Math.max(0, left!.images) }),
    ...(Number.isFinite(left?.moneyMicros) && { moneyLeftMicros: Math.max(0, left!.moneyMicros) }),
  };
}
