import type { LimitHint, TeacherConfig } from '@bbdistill/teacher-proxy';
import type { CheckedAnswer, CheckPlan, TeacherCheck } from './check-teacher.js';

const SHOWN_CLASSES = 12;
const SHOWN_SHARES = 3;
/** Smaller shares say nothing to people. */
const SMALLEST_SHARE = 0.005;
const SHOWN_TEXT = 80;
const MICROS_PER_UNIT = 1e6;

/** What a check is going to ask, before it does. */
export function describePlan({ images, cached, calls, costMicros }: CheckPlan, { price }: TeacherConfig): string {
  if (images === cached) return `all ${images} images were answered before: nothing is asked, nothing is paid`;
  const known = cached > 0 ? `, ${cached} more were answered before` : '';
  const cost = costMicros > 0 ? `up to ${money(costMicros, price.currency)}` : 'no cost declared';
  return `asks about ${counted(images - cached, 'image')} in ${counted(calls, 'call')}, ${cost}${known}`;
}

/** What a check found out, line by line. */
export function describeCheck(check: TeacherCheck, classNames: readonly string[]): string[] {
  const { facts } = check;
  const shape = facts.inputShape;
  const lines = [
    `teacher  ${check.name} (${facts.adapter}) at ${facts.endpoint}`,
    `answers  ${check.form}${facts.classes === undefined ? '' : `, ${facts.classes} classes`}`,
    `classes  ${describeClasses(check, classNames)}`,
    `images   ${shape ? `${shape.height}x${shape.width}x${shape.channels}` : 'of any size, as far as it says'}`,
    `limits   ${describeLimits(check.limits.declared)}`,
    ...check.limits.learnt.map((hint) => `         it says: ${describeHint(hint)}`),
    ...(check.limits.retryAfterMs === undefined
      ? []
      : [`         it says: wait for ${(check.limits.retryAfterMs / 1000).toFixed(1)} s`]),
    `price    ${describePrice(check.price)}`,
    `cache    ${check.cacheIdentity}`,
  ];
  if (check.asked + check.cached > 0) lines.push(`asked    ${describeAsked(check)}`);
  check.answers.forEach((answer, n) => {
    const told = describeAnswer(answer, classNames);
    if (told) lines.push(`image ${n}  ${told}`);
  });
  if (check.foreignLabels.length > 0) lines.push(`foreign  ${describeForeign(check.foreignLabels)}`);
  lines.push(check.problem === undefined ? 'it can be used as configured' : `problem  ${check.problem}`);
  return lines;
}

function describeClasses({ classes, labels }: TeacherCheck, names: readonly string[]): string {
  if (classes === undefined) return 'not known';
  const named = names.some(Boolean);
  const shown = names.slice(0, SHOWN_CLASSES).map((name, index) => `${index} ${name || '?'}`);
  const order = named
    ? `: ${shown.join(', ')}${classes > SHOWN_CLASSES ? ', …' : ''}`
    : ', without names: their order is the teacher’s';
  const outside = Object.entries(labels ?? {}).flatMap(([label, index]) => (index === null ? [label] : []));
  return `${classes}${order}${outside.length > 0 ? `; outside the set: ${outside.join(', ')}` : ''}`;
}

function describeForeign(labels: readonly string[]): string {
  const shown = labels.slice(0, SHOWN_CLASSES).map((label) => `"${label}"`);
  const more = labels.length > shown.length ? ` and ${labels.length - shown.length} more` : '';
  return `${shown.join(', ')}${more}: not in answer.labels; misspelt there, or no class of yours (then give it null)`;
}

const RATES = [
  ['imagesPerSecond', 'images/s'],
  ['imagesPerMinute', 'images/min'],
  ['imagesPerDay', 'images/day'],
  ['callsPerSecond', 'calls/s'],
  ['callsPerMinute', 'calls/min'],
  ['callsPerDay', 'calls/day'],
  ['bytesPerCall', 'bytes a call'],
  ['imagesPerCall', 'images a call'],
  ['concurrency', 'calls at once'],
] as const;

function describeLimits(limits: TeacherConfig['limits']): string {
  const told = RATES.flatMap(([name, unit]) => (limits[name] === undefined ? [] : [`${limits[name]} ${unit}`]));
  return `${told.join(', ')}, ${limits.timeoutMs / 1000} s a call at most`;
}

function describeHint({ source, unit, limit, windowMs, remaining, resetMs }: LimitHint): string {
  const parts = [
    limit === undefined ? '' : `${limit} ${unit}${windowMs === undefined ? '' : ` in ${windowMs / 1000} s`}`,
    remaining === undefined ? '' : `${remaining} left`,
    resetMs === undefined ? '' : `anew in ${(resetMs / 1000).toFixed(0)} s`,
  ];
  return `${parts.filter(Boolean).join(', ')} (${source})`;
}

function describePrice({
  perImageMicros,
  perCallMicros,
  freeImagesPerMonth,
  billsFailures,
  currency,
}: TeacherConfig['price']): string {
  const parts = [
    perImageMicros > 0 ? `${money(perImageMicros, currency)} an image` : '',
    perCallMicros > 0 ? `${money(perCallMicros, currency)} a call` : '',
    freeImagesPerMonth === undefined ? '' : `${freeImagesPerMonth} images a month are free`,
  ].filter(Boolean);
  const failures = billsFailures ? 'calls that it fails on are billed' : 'calls that it fails on are not billed';
  return `${parts.length > 0 ? parts.join(', ') : 'none declared'}; ${failures}`;
}

function describeAsked({ asked, cached, latenciesMs }: TeacherCheck): string {
  const known = cached > 0 ? `${cached} images were answered before` : '';
  if (asked === 0) return `nothing: ${known}`;
  const sorted = latenciesMs.map((ms) => ms.toFixed(0)).sort((a, b) => Number(a) - Number(b));
  const [first, last] = [sorted[0], sorted.at(-1)];
  const took = first === last ? first : `${first} to ${last}`;
  return `${counted(asked, 'image')} in ${counted(latenciesMs.length, 'call')}, ${took} ms a call${known && `; ${known}`}`;
}

function describeAnswer(
  { raw, target, abstained, completed = 0, dropped = 0, problem }: CheckedAnswer,
  names: readonly string[],
): string {
  if (raw === undefined) return '';
  if (abstained !== undefined) return `abstained: ${abstained}`;
  if (!target) {
    const said =
      typeof raw === 'string'
        ? raw
        : raw
            .slice(0, SHOWN_CLASSES)
            .map((value) => value.toPrecision(3))
            .join(' ');
    return `${said.length > SHOWN_TEXT ? `${said.slice(0, SHOWN_TEXT)}…` : said} (${problem})`;
  }
  const best = target
    .map((share, index) => ({ share, index }))
    .sort((a, b) => b.share - a.share || a.index - b.index)
    .slice(0, SHOWN_SHARES)
    .filter(({ share }, rank) => rank === 0 || share >= SMALLEST_SHARE)
    .map(({ share, index }) => `${names[index] || index} ${(100 * share).toFixed(1)} %`);
  const notes = [
    completed > SMALLEST_SHARE ? `${(100 * completed).toFixed(1)} % filled in` : '',
    dropped > SMALLEST_SHARE ? `${(100 * dropped).toFixed(1)} % left out` : '',
  ].filter(Boolean);
  return `${best.join(', ')}${notes.length > 0 ? ` (${notes.join(', ')})` : ''}`;
}

function counted(count: number, thing: string): string {
  return `${count} ${thing}${count === 1 ? '' : 's'}`;
}

function money(micros: number, currency: string): string {
  return `${(micros / MICROS_PER_UNIT).toFixed(6).replace(/0{1,4}$/, '')} ${currency}`;
}
