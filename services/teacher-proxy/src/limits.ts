import type { Limits } from './registry.js';

export const SECOND_MS = 1000;
export const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;

/** At most `amount` of the unit in any sliding window of this length; a window of 0 counts what is open at once. */
export interface LimitRule {
  id: string;
  unit: 'images' | 'calls';
  amount: number;
  windowMs: number;
  /** Slots are leased in steps of this many, so that no replica holds a part of a call. */
  step: number;
}

/** What the rules need to know of a teacher's settings. */
export type RuleSource = Pick<
  Limits,
  | 'imagesPerSecond'
  | 'imagesPerMinute'
  | 'imagesPerDay'
  | 'callsPerSecond'
  | 'callsPerMinute'
  | 'callsPerDay'
  | 'concurrency'
  | 'imagesPerCall'
  | 'burstImages'
>;

/** The teacher's limits as rules, the one for open calls first. */
export function rulesOf(limits: RuleSource): LimitRule[] {
  const rules: LimitRule[] = [{ id: 'open-calls', unit: 'calls', amount: limits.concurrency, windowMs: 0, step: 1 }];
  const add = (id: string, unit: LimitRule['unit'], rate: number | undefined, windowMs: number) => {
    if (rate !== undefined) rules.push(ruleOf(id, unit, rate, windowMs, limits.imagesPerCall));
  };
  add('images-per-second', 'images', limits.imagesPerSecond, SECOND_MS);
  add('images-per-minute', 'images', limits.imagesPerMinute, MINUTE_MS);
  add('images-per-day', 'images', limits.imagesPerDay, DAY_MS);
  add('calls-per-second', 'calls', limits.callsPerSecond, SECOND_MS);
  add('calls-per-minute', 'calls', limits.callsPerMinute, MINUTE_MS);
  add('calls-per-day', 'calls', limits.callsPerDay, DAY_MS);
  if (limits.burstImages !== undefined && limits.imagesPerSecond !== undefined) {
    // A bucket of B refilled at R a second is never overdrawn by at most B in any B/R seconds.
    const windowMs = (limits.burstImages / limits.imagesPerSecond) * SECOND_MS;
    rules.push(ruleOf('burst', 'images', limits.burstImages, windowMs, limits.imagesPerCall));
  }
  return rules;
}

function ruleOf(id: string, unit: LimitRule['unit'], rate: number, windowMs: number, imagesPerCall: number): LimitRule {
  // Less than one in a window is one in a longer window.
  const amount = Math.max(1, Math.floor(rate));
  const rule = { id, unit, amount, windowMs: rate < 1 ? windowMs / rate : windowMs };
  return { ...rule, step: unit === 'calls' ? 1 : Math.min(amount, imagesPerCall) };
}

/**
 * How many images a call has at most: a call that is larger than a window's limit would never be let through, and calls
 * that divide the limit evenly use all of it.
 * @param bytesPerImage as the teacher's canonical request has it; undefined: not known, bytes don't count
 */
export function imagesPerCallWithin(
  limits: RuleSource & Pick<Limits, 'bytesPerCall'>,
  bytesPerImage: number | undefined,
  isPaidPerCall: boolean,
): number {
  let images = limits.imagesPerCall;
  if (limits.bytesPerCall !== undefined && bytesPerImage !== undefined) {
    images = Math.min(images, Math.floor(limits.bytesPerCall / bytesPerImage));
  }
  images = Math.max(1, images);
  const rules = rulesOf({ ...limits, imagesPerCall: images });
  const imageRules = rules.filter(({ unit }) => unit === 'images');
  for (const { amount } of imageRules) images = Math.min(images, amount);
  const countsCalls = isPaidPerCall || rules.some(({ unit, windowMs }) => unit === 'calls' && windowMs > 0);
  if (countsCalls) return images;
  for (const { amount } of imageRules) images = Math.min(images, Math.floor(amount / Math.ceil(amount / images)));
  return images;
}

/** At most so many images in any window of this length. */
export interface Rate {
  images: number;
  windowMs: number;
}

/**
 * What each declared rate lets through: a rest in which no whole call has room isn't used.
 * @param imagesPerCall as {@link imagesPerCallWithin} has it
 */
export function ratesIn(limits: RuleSource, imagesPerCall: number): Rate[] {
  return rulesOf({ ...limits, imagesPerCall })
    .filter(({ windowMs }) => windowMs > 0)
    .map(({ unit, amount, windowMs }) => {
      const calls = unit === 'calls' ? amount : Math.floor(amount / imagesPerCall);
      return { images: calls * imagesPerCall, windowMs };
    });
}
