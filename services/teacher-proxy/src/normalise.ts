import type { AnswerForm, AnswerKind, RawAnswer } from './teacher.js';

/** How far a sum of probabilities may be from 1 and still be taken, renormalised. Float16 and JSON rounding fit in. */
export const PROBABILITY_SUM_TOLERANCE = 1e-2;
/** Negative probabilities above this are rounding noise of the teacher's softmax and count as 0. */
export const NEGATIVE_TOLERANCE = 1e-6;

/** Why an answer can't be used; `LENGTH` would be wrong for every image. */
export type AnswerFault = 'LENGTH' | 'NAN' | 'NEGATIVE' | 'SUM' | 'LABEL' | 'TEXT';

export type Normalised = { ok: true } | { ok: false; fault: AnswerFault; message: string };

type Normaliser = (values: Float32Array, target: Float32Array, form: AnswerForm) => Normalised;

/** One entry per answer kind; a new kind is one more function here and one more word in ANSWER_KINDS. */
const NORMALISERS: Record<AnswerKind, Normaliser> = {
  probabilities: normaliseProbabilities,
  logits: normaliseLogits,
  'hard-label': normaliseHardLabel,
};

/**
 * Turns a raw answer into a target distribution.
 * @param raw as the teacher gave it
 * @param target [K], filled with a row that sums to 1; left as it is where the answer can't be used
 */
export function normaliseAnswer(raw: RawAnswer, target: Float32Array, form: AnswerForm): Normalised {
  if (typeof raw === 'string')
    return fault('TEXT', `the answer is text where numbers are declared: ${raw.slice(0, 100)}`);
  const values = raw;
  return NORMALISERS[form.kind](values, target, form);
}

function normaliseProbabilities(values: Float32Array, target: Float32Array): Normalised {
  const classes = target.length;
  if (values.length !== classes) return wrongLength(values, classes);
  let sum = 0;
  for (let index = 0; index < classes; index++) {
    const value = values[index]!;
    if (!Number.isFinite(value)) return fault('NAN', `the answer's value ${index} is ${value}: ${shown(values)}`);
    if (value < -NEGATIVE_TOLERANCE) {
      const hint = 'if the teacher answers logits, declare answer.kind: logits';
      return fault(
        'NEGATIVE',
        `the answer's value ${index} is ${shownNumber(value)}, below 0: ${shown(values)} (${hint})`,
      );
    }
    sum += Math.max(0, value);
  }
  if (Math.abs(sum - 1) > PROBABILITY_SUM_TOLERANCE) {
    const hint = 'if the teacher answers logits, declare answer.kind: logits';
    return fault('SUM', `the answer's values sum to ${shownNumber(sum)} instead of 1: ${shown(values)} (${hint})`);
  }
  for (let index = 0; index < classes; index++) target[index] = Math.max(0, values[index]!) / sum;
  return { ok: true };
}

function normaliseLogits(values: Float32Array, target: Float32Array, form: AnswerForm): Normalised {
  const classes = target.length;
  if (values.length !== classes) return wrongLength(values, classes);
  let highest = -Infinity;
  for (let index = 0; index < classes; index++) {
    const value = values[index]!;
    if (!Number.isFinite(value)) return fault('NAN', `the answer's logit ${index} is ${value}: ${shown(values)}`);
    highest = Math.max(highest, value);
  }
  // Relative to the highest logit, so that no exponential overflows.
  let sum = 0;
  for (let index = 0; index < classes; index++) sum += Math.exp((values[index]! - highest) / form.temperature);
  for (let index = 0; index < classes; index++) {
    target[index] = Math.exp((values[index]! - highest) / form.temperature) / sum;
  }
  return { ok: true };
}

/** One number: the class's index. */
function normaliseHardLabel(values: Float32Array, target: Float32Array): Normalised {
  if (values.length !== 1) {
    return fault('LENGTH', `a hard label is one number, but the teacher answered ${values.length}: ${shown(values)}`);
  }
  const label = values[0]!;
  if (!Number.isInteger(label) || label < 0 || label >= target.length) {
    return fault('LABEL', `the teacher's label ${shownNumber(label)} is not a class in 0..${target.length - 1}`);
  }
  target.fill(0);
  target[label] = 1;
  return { ok: true };
}

function wrongLength(values: Float32Array, classes: number): Normalised {
  return fault(
    'LENGTH',
    `the teacher answers ${values.length} values an image, but the run has ${classes} classes: ` +
      `set run.classes to ${values.length}, or answer.output to the output that has ${classes}`,
  );
}

function fault(fault: AnswerFault, message: string): Normalised {
  return { ok: false, fault, message };
}

const SHOWN_VALUES = 8;

function shown(values: Float32Array): string {
  const head = Array.from(values.subarray(0, SHOWN_VALUES), shownNumber).join(', ');
  return `[${head}${values.length > SHOWN_VALUES ? ', …' : ''}]`;
}

function shownNumber(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(4))) : String(value);
}
