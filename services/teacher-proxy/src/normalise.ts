import { shownText } from './shown-text.js';
import type { AnswerForm, AnswerKind, NamedScores, RawAnswer } from './teacher.js';

/** How far a sum of probabilities may be from 1 and still be taken, renormalised. Float16 and JSON rounding fit in. */
export const PROBABILITY_SUM_TOLERANCE = 1e-2;
/** And where every value is a whole percent: each may be rounded by half of one, all of them by so much at most. */
export const WHOLE_PERCENT_SUM_TOLERANCE = 5e-2;
/** Negative probabilities above this are rounding noise of the teacher's softmax and count as 0. */
export const NEGATIVE_TOLERANCE = 1e-6;
/** Keeps the odds of a sigmoid that reads 0 or 1 finite: the last step of a float32 below 1. */
export const SIGMOID_EPSILON = 2 ** -24;

/** Why an answer can't be used; `LENGTH` would be wrong for every image. */
export type AnswerFault = 'LENGTH' | 'NAN' | 'NEGATIVE' | 'SUM' | 'LABEL' | 'TEXT';

/** Why a teacher that answered gave no target: it named nothing, said so by a label, or named nothing that counts here. */
export type Abstention = 'empty' | 'declared' | 'outside';

/**
 * What became of an answer.
 * - `target`: a distribution; `completed` is the part of the mass 1 that was filled in, `dropped` the part that the
 *   teacher gave to what is no class here (or that had no place) and that the rest was scaled up for.
 * - `abstained`: no target, though the teacher worked; the image is not trained on.
 */
export type Normalised =
  | { ok: true; kind: 'target'; completed: number; dropped: number }
  | { ok: true; kind: 'abstained'; why: Abstention; message: string }
  | { ok: false; fault: AnswerFault; message: string };

/**
 * Turns a raw answer into a target distribution:
 * - `probabilities`, `percent`: taken as they are, renormalised by at most {@link PROBABILITY_SUM_TOLERANCE}, or by
 *   {@link WHOLE_PERCENT_SUM_TOLERANCE} where the teacher rounds to whole percents.
 * - `logits`: softmax(z / temperature).
 * - `top-k`, `thresholded`, `label-confidence`: part of a softmax. What the scores leave of 1 is, by `form.rest`, spread
 *   evenly over the classes that weren't named, none of them above the lowest named score or the threshold; or dropped.
 * - `sigmoids`: one yes or no per class. By `form.sigmoids`: `odds`, the softmax of the logits behind them, which is the
 *   chance of each class given that exactly one holds; or `shares`, score / sum of scores.
 * - `hard-label`: 1 for the class.
 * Labels map to classes by `form.labels`; several may map to one, whose scores add up (sigmoids: the highest counts).
 * Mass of other labels is dropped, spread evenly over all classes, or makes the answer an abstention (`form.other`).
 * @param raw as the teacher gave it
 * @param target [K], filled with a row that sums to 1; left as it is where there is no target
 */
export function normaliseAnswer(raw: RawAnswer, target: Float32Array, form: AnswerForm): Normalised {
  const said = typeof raw === 'string' ? readText(raw, form) : raw;
  if ('ok' in said) return said;
  if (!(said instanceof Float32Array)) return namedAnswer(said, target, form);
  if (!form.labels && DENSE.has(form.kind)) return denseAnswer(said, target, form);
  const named = namedRow(said, target.length, form);
  return 'ok' in named ? named : namedAnswer(named, target, form);
}

/** In words, for reports and provenance. */
export function describeForm(form: AnswerForm): string {
  const parts: string[] = [form.kind];
  if (form.kind === 'logits') parts.push(`temperature ${form.temperature}`);
  if (PARTIAL.has(form.kind)) parts.push(restOf(form) === 'spread' ? 'rest spread over other classes' : 'rest dropped');
  if (form.kind === 'sigmoids') parts.push(`${form.sigmoids ?? 'odds'} of sigmoids`);
  if (form.percent && form.kind !== 'percent') parts.push('in percent');
  if (form.labels) parts.push(`other labels: ${form.other ?? 'drop'}`);
  return parts.join(', ');
}

/** Kinds whose rows have one value per class and need no look at labels. */
const DENSE = new Set<AnswerKind>(['probabilities', 'percent', 'logits']);
/** Kinds that name only a part of the classes. */
const PARTIAL = new Set<AnswerKind>(['top-k', 'thresholded', 'label-confidence']);
const COMPLETE_TARGET = { ok: true, kind: 'target', completed: 0, dropped: 0 } as const;
const PERCENT = 100;
const HALF_PERCENT = 0.5;
/** Of a float32 that stands for a whole percent. */
const WHOLE_PERCENT_ERROR = 1e-4;
/** 0.33 + 0.33 + 0.33 is a little less than 0.99. */
const SUM_ERROR = 1e-6;

function denseAnswer(values: Float32Array, target: Float32Array, form: AnswerForm): Normalised {
  if (values.length !== target.length) return wrongLength(values, target.length);
  return form.kind === 'logits' ? denseLogits(values, target, form) : denseProbabilities(values, target, form);
}

function denseProbabilities(values: Float32Array, target: Float32Array, form: AnswerForm): Normalised {
  const classes = target.length;
  const unit = scaleOf(form);
  let sum = 0;
  for (let index = 0; index < classes; index++) {
    const value = values[index]! / unit;
    if (!Number.isFinite(value)) return fault('NAN', `the answer's value ${index} is ${value}: ${shown(values)}`);
    if (value < -NEGATIVE_TOLERANCE) return negative(index, values);
    sum += Math.max(0, value);
  }
  if (Math.abs(sum - 1) > sumTolerance(values, unit)) return wrongSum(sum * unit, unit, values);
  for (let index = 0; index < classes; index++) target[index] = Math.max(0, values[index]! / unit) / sum;
  return COMPLETE_TARGET;
}

function denseLogits(values: Float32Array, target: Float32Array, form: AnswerForm): Normalised {
  const bad = values.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0) return fault('NAN', `the answer's logit ${bad} is ${values[bad]}: ${shown(values)}`);
  target.set(softmax(values, form.temperature));
  return COMPLETE_TARGET;
}

/** Relative to the highest logit, so that no exponential overflows. */
function softmax(logits: ArrayLike<number>, temperature: number): Float64Array {
  const highest = Array.prototype.reduce.call(logits, (a, b) => Math.max(Number(a), Number(b)), -Infinity) as number;
  const result = Float64Array.from(logits, (logit) => Math.exp((logit - highest) / temperature));
  const sum = result.reduce((total, value) => total + value, 0);
  return result.map((value) => value / sum);
}

function readText(text: string, form: AnswerForm): NamedScores | Float32Array | Normalised {
  if (!form.readText)
    return fault('TEXT', `the answer is text where numbers are declared: ${shownText(text, SHOWN_CHARACTERS)}`);
  try {
    return form.readText(text);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    return fault('TEXT', `the answer can't be read (${reason}): ${shownText(text, SHOWN_CHARACTERS)}`);
  }
}

/** A row of numbers as labels, which are indices, with scores. */
function namedRow(raw: Float32Array, classes: number, form: AnswerForm): NamedScores | Normalised {
  const [label, confidence] = raw;
  if (form.kind === 'hard-label' || form.kind === 'label-confidence') {
    const wanted = form.kind === 'hard-label' ? 1 : 2;
    if (raw.length !== wanted) {
      const what = wanted === 1 ? 'a hard label is one number' : 'a label with its confidence is two numbers';
      return fault('LENGTH', `${what}, but the teacher answered ${raw.length}: ${shown(raw)}`);
    }
    return { labels: [String(label)], ...(wanted === 2 && { scores: [confidence!] }) };
  }
  if (!form.labels && raw.length !== classes) return wrongLength(raw, classes);
  return { labels: Array.from(raw, (_, index) => String(index)), scores: Array.from(raw) };
}

/** Mass by class, and what is no class's. */
interface Shared {
  mass: Float64Array;
  /** Classes that the teacher named, whatever their score. */
  named: boolean[];
  /** Given to labels outside the student's set. */
  outside: number;
  /** Lowest score that a named label has. */
  lowest: number;
  /** Label of the highest score, and whether it is one outside the set. */
  top: { label: string; score: number; outside: boolean };
}

function namedAnswer(said: NamedScores, target: Float32Array, form: AnswerForm): Normalised {
  if (said.labels.length === 0 && (said.scores?.length ?? 0) === 0) {
    if (DENSE.has(form.kind)) return fault('TEXT', 'the answer names no class, but all of them are declared');
    return { ok: true, kind: 'abstained', why: 'empty', message: 'the teacher named no class' };
  }
  const scores = checkedScores(said, form);
  if ('ok' in scores) return scores;
  const shared = share(said.labels, scores, target.length, form);
  if ('ok' in shared) return shared;
  if (form.abstain?.has(shared.top.label)) {
    const message = `the teacher says "${shared.top.label}"`;
    return { ok: true, kind: 'abstained', why: 'declared', message };
  }
  if (shared.top.outside && form.other === 'abstain') return outside(said);
  if (form.kind === 'sigmoids') return independent(said, shared, target, form);
  return exclusive(said, scores, shared, target, form);
}

/** As fractions of 1; logits as their softmax over what was named. */
function checkedScores({ labels, scores }: NamedScores, form: AnswerForm): number[] | Normalised {
  if (!scores) {
    if (form.kind !== 'hard-label') {
      return fault('TEXT', `the answer has labels without scores, but answer.kind is ${form.kind}`);
    }
    if (labels.length > 1) return fault('TEXT', `a hard label is one label, but there are ${labels.length}`);
    return [1];
  }
  if (scores.length !== labels.length) {
    return fault('TEXT', `the answer has ${labels.length} labels and ${scores.length} scores`);
  }
  const bad = scores.findIndex((score) => !Number.isFinite(score));
  if (bad >= 0) return fault('NAN', `the score of "${labels[bad]}" is ${scores[bad]}`);
  if (form.kind === 'hard-label') return hardened(scores);
  if (form.kind === 'logits') return Array.from(softmax(scores, form.temperature));
  const unit = scaleOf(form);
  const parts = scores.map((score) => score / unit);
  const below = parts.findIndex((part) => part < -NEGATIVE_TOLERANCE);
  if (below >= 0) return negative(below, scores);
  const above = parts.findIndex((part) => part > 1 + PROBABILITY_SUM_TOLERANCE);
  if (above >= 0) {
    const hint =
      unit === 1 ? 'if the teacher answers in percent, declare answer.percent: true' : 'a percentage ends at 100';
    return fault('SUM', `the score of "${labels[above]}" is ${shownNumber(scores[above]!)}: above ${unit} (${hint})`);
  }
  return parts.map((part) => Math.min(1, Math.max(0, part)));
}

/** A teacher of hard labels that gives scores as well: only the highest counts. */
function hardened(scores: readonly number[]): number[] {
  const highest = scores.indexOf(Math.max(...scores));
  return scores.map((_, index) => (index === highest ? 1 : 0));
}

function share(
  labels: readonly string[],
  scores: readonly number[],
  classes: number,
  form: AnswerForm,
): Shared | Normalised {
  const shared: Shared = {
    mass: new Float64Array(classes),
    named: Array<boolean>(classes).fill(false),
    outside: 0,
    lowest: Infinity,
    top: { label: '', score: -1, outside: false },
  };
  for (const [index, label] of labels.entries()) {
    const score = scores[index]!;
    const place = placeOf(label, classes, form);
    if (typeof place === 'object' && place !== null) return place;
    if (score > shared.top.score) shared.top = { label, score, outside: place === null };
    if (form.kind === 'hard-label' && score === 0) continue;
    shared.lowest = Math.min(shared.lowest, score);
    if (place === null) shared.outside += score;
    else {
      shared.named[place] = true;
      shared.mass[place] =
        form.kind === 'sigmoids' ? Math.max(shared.mass[place]!, score) : shared.mass[place]! + score;
    }
  }
  return shared;
}

/** The class of a label; null: outside the student's set. */
function placeOf(label: string, classes: number, form: AnswerForm): number | null | Normalised {
  if (form.labels) {
    const place = form.labels.get(label) ?? null;
    if (place !== null && place >= classes) {
      return fault(
        'LABEL',
        `answer.labels maps "${label}" to class ${place}, but the run has classes 0..${classes - 1}`,
      );
    }
    return place;
  }
  if (form.abstain?.has(label)) return null;
  const index = /^\d+$/.test(label) ? Number(label) : Number.NaN;
  if (index < classes) return index;
  const hint = Number.isNaN(index) ? ': declare answer.labels, which says what class each label of the teacher is' : '';
  return fault('LABEL', `the teacher's label ${label} is not a class in 0..${classes - 1}${hint}`);
}

function exclusive(
  said: NamedScores,
  scores: readonly number[],
  { mass, named, outside: other, lowest }: Shared,
  target: Float32Array,
  form: AnswerForm,
): Normalised {
  const sum = scores.reduce((total, score) => total + score, 0);
  const isPartial = PARTIAL.has(form.kind);
  const tolerance = sumTolerance(scores, 1);
  if (sum - 1 > tolerance || (!isPartial && 1 - sum > tolerance)) {
    return wrongSum(sum * scaleOf(form), scaleOf(form), said.scores ?? scores);
  }
  if (!mass.some((value) => value > 0) && !(form.other === 'spread' && other > 0)) {
    if (other > 0 || !named.includes(true)) return outside(said);
    return { ok: true, kind: 'abstained', why: 'empty', message: 'no score of the teacher is above 0' };
  }
  let completed = 0;
  let dropped = other;
  if (form.other === 'spread' && other > 0) {
    for (let k = 0; k < mass.length; k++) mass[k]! += other / mass.length;
    completed += other;
    dropped = 0;
  }
  const rest = isPartial ? Math.max(0, 1 - sum) : 0;
  if (rest > 0) {
    const unnamed = named.filter((each) => !each).length;
    const cap = Math.min(lowest, form.threshold ?? 1);
    const placed = restOf(form) === 'spread' ? Math.min(rest, unnamed * cap) : 0;
    for (let k = 0; k < mass.length; k++) if (!named[k]) mass[k]! += placed / unnamed;
    completed += placed;
    dropped += rest - placed;
  }
  const total = mass.reduce((all, value) => all + value, 0);
  for (let k = 0; k < mass.length; k++) target[k] = mass[k]! / total;
  return { ok: true, kind: 'target', completed: negligible(completed), dropped: negligible(dropped) };
}

function independent(
  said: NamedScores,
  { mass, outside: other }: Shared,
  target: Float32Array,
  form: AnswerForm,
): Normalised {
  const highest = mass.reduce((top, value) => Math.max(top, value), 0);
  if (highest <= 0 || highest < (form.threshold ?? 0)) {
    if (other > 0) return outside(said);
    const message = `no class is above ${form.threshold ?? 0}: the highest is ${shownNumber(highest)}`;
    return { ok: true, kind: 'abstained', why: 'empty', message };
  }
  const weights =
    form.sigmoids === 'shares' ? mass : mass.map((score) => (score + SIGMOID_EPSILON) / (1 - score + SIGMOID_EPSILON));
  const total = weights.reduce((all, value) => all + value, 0);
  for (let k = 0; k < weights.length; k++) target[k] = weights[k]! / total;
  const all = other + mass.reduce((sum, value) => sum + value, 0);
  return { ok: true, kind: 'target', completed: 0, dropped: negligible(other / all) };
}

// Below this it is rounding of the teacher's, not a choice of ours.
const NEGLIGIBLE = 1e-6;
const negligible = (mass: number) => (mass < NEGLIGIBLE ? 0 : Math.min(1, mass));
const restOf = (form: AnswerForm) => form.rest ?? 'spread';
const scaleOf = (form: AnswerForm) => (form.percent || form.kind === 'percent' ? PERCENT : 1);

function outside({ labels }: NamedScores): Normalised {
  const message = `the teacher names nothing that is a class here, but: ${labels.slice(0, SHOWN_VALUES).join(', ')}`;
  return { ok: true, kind: 'abstained', why: 'outside', message: `${message} (answer.labels says what is)` };
}

function wrongLength(values: ArrayLike<number>, classes: number): Normalised {
  return fault(
    'LENGTH',
    `the teacher answers ${values.length} values an image, but the run has ${classes} classes: ` +
      `set run.classes to ${values.length}, or answer.output to the output that has ${classes}`,
  );
}

/** How far the sum of these values may be from 1. */
function sumTolerance(values: ArrayLike<number>, unit: number): number {
  const isWhole = (value: number) => {
    const percent = (value / unit) * PERCENT;
    return Math.abs(percent - Math.round(percent)) < WHOLE_PERCENT_ERROR;
  };
  if (!Array.prototype.every.call(values, isWhole)) return PROBABILITY_SUM_TOLERANCE;
  const rounded = (values.length * HALF_PERCENT) / PERCENT;
  return Math.max(PROBABILITY_SUM_TOLERANCE, Math.min(WHOLE_PERCENT_SUM_TOLERANCE, rounded)) + SUM_ERROR;
}

function wrongSum(sum: number, unit: number, values: ArrayLike<number>): Normalised {
  return fault(
    'SUM',
    `the answer's values sum to ${shownNumber(sum)} instead of ${unit}: ${shown(values)} (${sumHint(sum, unit, values)})`,
  );
}

function sumHint(sum: number, unit: number, values: ArrayLike<number>): string {
  if (Math.abs(sum - PERCENT) <= PERCENT * WHOLE_PERCENT_SUM_TOLERANCE && unit === 1) {
    return 'if the teacher answers in percent, declare answer.kind: percent';
  }
  if (Math.abs(sum - 1) <= WHOLE_PERCENT_SUM_TOLERANCE && unit === PERCENT) {
    return 'if the teacher answers fractions of 1, declare answer.kind: probabilities';
  }
  const some = 'if it names only some classes, top-k or thresholded';
  // Logits hardly ever lie all between 0 and 1; chances of classes that don't exclude one another always do.
  const isChance = (value: number) => value >= 0 && value <= unit;
  if (!Array.prototype.every.call(values, isChance)) {
    return `if the teacher answers logits, declare answer.kind: logits; ${some}`;
  }
  return sum > unit
    ? 'if the teacher judges each class by itself, declare answer.kind: sigmoids'
    : some.replace(', ', ', declare answer.kind: ');
}

function negative(index: number, values: ArrayLike<number>): Normalised {
  const hint = 'if the teacher answers logits, declare answer.kind: logits';
  const value = shownNumber(values[index]!);
  return fault('NEGATIVE', `the answer's value ${index} is ${value}, below 0: ${shown(values)} (${hint})`);
}

function fault(fault: AnswerFault, message: string): Normalised {
  return { ok: false, fault, message };
}

const SHOWN_VALUES = 8;
const SHOWN_CHARACTERS = 120;

function shown(values: ArrayLike<number>): string {
  const head = Array.from({ length: Math.min(SHOWN_VALUES, values.length) }, (_, at) => shownNumber(values[at]!));
  return `[${head.join(', ')}${values.length > SHOWN_VALUES ? ', …' : ''}]`;
}

function shownNumber(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value);
}
