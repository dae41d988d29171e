import { z } from 'zod';
import { ANSWER_KINDS, OTHER_CHOICES, REST_CHOICES, SIGMOID_CHOICES } from './teacher.js';
import type { AnswerForm } from './teacher.js';

export const DEFAULT_TEMPERATURE = 1;
const MAX_LABELS = 100_000;

const classIndex = z.number().int().min(0);
const label = z.union([z.string().min(1), z.number().transform(String)]);

/**
 * Labels of the teacher by class. A list names the student's classes in order (a list inside it: synonyms); a table
 * gives each label its class, null = outside the student's set.
 */
const labelsSection = z.union(
  [
    z
      .array(z.union([label, z.array(label).min(1)]))
      .min(2)
      .max(MAX_LABELS)
      .transform((classes) => {
        const entries = classes.flatMap((names, index) =>
          (Array.isArray(names) ? names : [names]).map((name): [string, number] => [name, index]),
        );
        return { entries, isTwice: new Set(entries.map(([name]) => name)).size < entries.length };
      })
      .refine(({ isTwice }) => !isTwice, 'names a label twice')
      .transform(({ entries }): Record<string, number | null> => Object.fromEntries(entries)),
    z.record(z.string(), classIndex.nullable()),
  ],
  'has to be a list of the labels in the order of the classes, each label once, or a table of label: class (null = outside the set)',
);

/** The `answer:` section of a teacher. */
export const answerSection = z.strictObject({
  /** onnx: found out by a probe where it isn't given; else probabilities, or what the preset says. */
  kind: z.enum(ANSWER_KINDS).optional(),
  /** Name of the output tensor; read from the model where it has only one. */
  output: z.string().min(1).optional(),
  /** Divides logits before the softmax. */
  temperature: z.number().positive().default(DEFAULT_TEMPERATURE),
  /** Scores go from 0 to 100. */
  percent: z.boolean().optional(),
  labels: labelsSection.optional(),
  /** What becomes of labels outside the student's set. */
  other: z.enum(OTHER_CHOICES).optional(),
  /** What becomes of the mass that named classes leave of 1. */
  rest: z.enum(REST_CHOICES).optional(),
  /** Labels by which the teacher says that it doesn't know. */
  abstain: z.array(label).min(1).optional(),
  /** Below it the teacher names no class (0..1). */
  threshold: z.number().min(0).max(1).optional(),
  /** How independent scores become one distribution. */
  sigmoids: z.enum(SIGMOID_CHOICES).optional(),
  /** open-inference: ask Triton's classification extension for so many classes, `value:index:label` each. */
  classification: z.number().int().min(1).max(MAX_LABELS).optional(),
});

export type AnswerConfig = z.output<typeof answerSection>;

/** As declared; what isn't, is probabilities, or the best few of them where only those are asked for. */
export function declaredKind({ kind, classification }: AnswerConfig): AnswerForm['kind'] {
  return kind ?? (classification === undefined ? 'probabilities' : 'top-k');
}

/**
 * Settings that say nothing at this kind of answer, by name.
 * @param kind where it isn't declared: what it turns out to be; undefined as long as that isn't known
 */
export function answerContradictions(
  answer: AnswerConfig,
  kind: AnswerForm['kind'] | undefined = answer.kind,
): [setting: string, message: string][] {
  if (kind === undefined) return [];
  const faults: [string, string][] = [];
  const only = (setting: keyof AnswerConfig, kinds: readonly string[]) => {
    if (answer[setting] === undefined || kinds.includes(kind)) return;
    faults.push([setting, `is for answer.kind ${kinds.join(' or ')}, not ${kind}`]);
  };
  if (answer.temperature !== DEFAULT_TEMPERATURE && kind !== 'logits') {
    faults.push(['temperature', `is for answer.kind logits, not ${kind}`]);
  }
  only('rest', ['top-k', 'thresholded', 'label-confidence']);
  only('threshold', ['thresholded', 'sigmoids']);
  only('sigmoids', ['sigmoids']);
  if (answer.percent === true && (kind === 'logits' || kind === 'hard-label')) {
    faults.push(['percent', `contradicts answer.kind ${kind}, which has no percentages`]);
  }
  if (answer.percent === false && kind === 'percent') faults.push(['percent', 'false contradicts answer.kind percent']);
  if (answer.other !== undefined && answer.labels === undefined) {
    faults.push(['other', 'needs answer.labels: without it every label is a class']);
  }
  return faults;
}

/** The form in which `normalise.ts` reads. */
export function answerForm(answer: AnswerConfig, kind: AnswerForm['kind']): AnswerForm {
  const { temperature, percent, labels, other, rest, abstain, threshold, sigmoids } = answer;
  return {
    kind,
    temperature: kind === 'logits' ? temperature : 1,
    ...(percent !== undefined && { percent }),
    ...(labels && { labels: new Map(Object.entries(labels)) }),
    ...(abstain && { abstain: new Set(abstain) }),
    ...(other && { other }),
    ...(rest && { rest }),
    ...(threshold !== undefined && { threshold }),
    ...(sigmoids && { sigmoids }),
  };
}
