import { RandomStream } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { describeForm, normaliseAnswer } from './normalise.js';
import type { AnswerForm, NamedScores } from './teacher.js';

const probabilities: AnswerForm = { kind: 'probabilities', temperature: 1 };
const logits: AnswerForm = { kind: 'logits', temperature: 1 };
const hardLabel: AnswerForm = { kind: 'hard-label', temperature: 1 };

function normalise(values: number[], form: AnswerForm, classes = 3) {
  const target = new Float32Array(classes);
  const result = normaliseAnswer(Float32Array.from(values), target, form);
  return { ...result, row: Array.from(target) };
}

describe('normalise', () => {
  it('probabilities - are taken as they are', () => {
    const { ok, row } = normalise([0.5, 0.25, 0.25], probabilities);
    expect(ok).toBe(true);
    expect(row).toEqual([0.5, 0.25, 0.25]);
  });

  it('probabilities - a sum off by less than 1e-2 is renormalised', () => {
    const { ok, row } = normalise([0.5, 0.3, 0.207], probabilities);
    expect(ok).toBe(true);
    expect(row.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 6);
    expect(row[0]).toBeCloseTo(0.5 / 1.007, 6);
  });

  it('probabilities - rounding noise below zero counts as zero', () => {
    const { ok, row } = normalise([1, -1e-8, 0], probabilities);
    expect(ok).toBe(true);
    expect(row).toEqual([1, 0, 0]);
  });

  it.each([
    ['whole percents', [33, 33, 33], 'percent'],
    ['two decimals', [0.33, 0.33, 0.33], 'probabilities'],
    ['whole percents of many classes', [14, 13, 12, 12, 11, 11, 10, 8, 7, 6], 'percent'],
  ] as const)('probabilities - rounded to %s they are renormalised', (_, values, kind) => {
    const { ok, row } = normalise([...values], { kind, temperature: 1 }, values.length);
    expect(ok).toBe(true);
    expect(row.reduce((total, value) => total + value, 0)).toBeCloseTo(1, 6);
  });

  it.each([
    ['more than rounding can explain', [40, 40, 25], 'percent'],
    ['of many classes that are no parts of one', Array<number>(100).fill(0).fill(1, 0, 2), 'probabilities'],
  ] as const)('probabilities - whole percents, %s, are refused', (_, values, kind) => {
    expect(normalise([...values], { kind, temperature: 1 }, values.length)).toMatchObject({ ok: false, fault: 'SUM' });
  });

  it.each([
    ['a wrong length', [0.5, 0.5], 'LENGTH', 'answers 2 values an image, but the run has 3 classes'],
    ['NaN', [0.5, Number.NaN, 0.5], 'NAN', 'value 1 is NaN'],
    ['infinity', [Infinity, 0, 0], 'NAN', 'value 0 is Infinity'],
    ['a negative value', [1.5, -0.5, 0], 'NEGATIVE', 'value 1 is -0.5, below 0'],
    ['a sum far from 1', [0.5, 0.5, 0.5], 'SUM', 'sum to 1.5 instead of 1'],
    ['all zeros', [0, 0, 0], 'SUM', 'sum to 0 instead of 1'],
  ])('probabilities - %s is refused, naming the values', (_, values, fault, message) => {
    const result = normalise(values, probabilities);
    expect(result).toMatchObject({ ok: false, fault });
    expect('message' in result && result.message).toContain(message);
    expect(result.row).toEqual([0, 0, 0]);
  });

  it('logits - become a softmax, however large', () => {
    const { ok, row } = normalise([1000, 1000 + Math.log(3), 0], logits);
    expect(ok).toBe(true);
    expect(row[0]).toBeCloseTo(0.25, 4);
    expect(row[1]).toBeCloseTo(0.75, 4);
  });

  it('logits - a temperature flattens them', () => {
    const { row } = normalise([2, 0, 0], { kind: 'logits', temperature: 2 });
    expect(row[0]).toBeCloseTo(Math.E / (Math.E + 2), 6);
  });

  it.each([
    ['a wrong length', [1, 2], 'LENGTH'],
    ['NaN', [1, Number.NaN, 2], 'NAN'],
  ])('logits - %s is refused', (_, values, fault) => {
    expect(normalise(values, logits)).toMatchObject({ ok: false, fault });
  });

  it('hard label - becomes a one-hot row', () => {
    expect(normalise([2], hardLabel).row).toEqual([0, 0, 1]);
  });

  it('hard label - of very many is taken to the last digit', () => {
    const labels = new Map([
      ['12345', 0],
      ['12350', 1],
    ]);
    expect(normalise([12_345], { ...hardLabel, labels }).row).toEqual([1, 0, 0]);
  });

  it.each([
    ['a label out of range', [3], 'LABEL'],
    ['a negative label', [-1], 'LABEL'],
    ['a label between two', [1.5], 'LABEL'],
    ['a whole row', [0, 0, 1], 'LENGTH'],
  ])('hard label - %s is refused', (_, values, fault) => {
    expect(normalise(values, hardLabel)).toMatchObject({ ok: false, fault });
  });
});

const pets = new Map<string, number | null>([
  ['cat', 0],
  ['tabby', 0],
  ['dog', 1],
  ['bird', 2],
  ['car', null],
]);

/** An answer of labels with scores, as a text that reads itself. */
function named(labels: string[], scores: number[] | undefined, form: Partial<AnswerForm>, classes = 3) {
  const target = new Float32Array(classes);
  const said: NamedScores = { labels, ...(scores && { scores }) };
  const result = normaliseAnswer('text', target, { kind: 'top-k', temperature: 1, readText: () => said, ...form });
  const row = Array.from(target, (value) => Number(value.toFixed(6)));
  return { ...result, row };
}

const sum = (row: number[]) => row.reduce((total, value) => total + value, 0);

describe('normalise - percent', () => {
  it('is divided by 100', () => {
    expect(normalise([50, 25, 25], { kind: 'percent', temperature: 1 }).row).toEqual([0.5, 0.25, 0.25]);
  });

  it.each([
    ['percentages where fractions are declared', [50, 30, 20], 'probabilities', 'declare answer.kind: percent'],
    ['fractions where percentages are declared', [0.5, 0.3, 0.2], 'percent', 'declare answer.kind: probabilities'],
    ['chances that exclude nothing', [0.99, 0.98, 0.5], 'probabilities', 'declare answer.kind: sigmoids'],
    ['logits', [3, 2, 0.5], 'probabilities', 'declare answer.kind: logits'],
    ['a part of the classes', [0.4, 0.3, 0.1], 'probabilities', 'declare answer.kind: top-k or thresholded'],
  ] as const)('%s are refused with what to declare', (_, values, kind, message) => {
    const result = normalise([...values], { kind, temperature: 1 });
    expect('message' in result && result.message).toContain(message);
  });
});

describe('normalise - a part of a softmax', () => {
  it.each([
    ['a label outside the set', 'car', 'outside'],
    ['a class', 'cat', 'empty'],
  ])('nothing but a score of 0 for %s is no target', (_, label, why) => {
    for (const other of ['drop', 'spread'] as const) {
      const result = named([label], [0], { kind: 'label-confidence', labels: pets, other });
      expect(result).toMatchObject({ ok: true, kind: 'abstained', why, row: [0, 0, 0] });
    }
  });

  it('top-k - what is left of 1 is spread over the classes that were not named, and noted', () => {
    const { row, ...result } = named(['0', '2'], [0.6, 0.3], {}, 4);
    expect(row).toEqual([0.6, 0.05, 0.3, 0.05]);
    expect(result).toMatchObject({ ok: true, kind: 'target' });
    expect('completed' in result && result.completed).toBeCloseTo(0.1, 6);
  });

  it('top-k - no class gets more than the lowest that was named: the rest belongs to labels that are not here', () => {
    const { row, ...result } = named(['0', '1'], [0.3, 0.1], {}, 3);
    expect(row).toEqual([0.6, 0.2, 0.2]);
    expect('completed' in result && result.completed).toBeCloseTo(0.1, 6);
    expect('dropped' in result && result.dropped).toBeCloseTo(0.5, 6);
  });

  it('top-k - dropped instead of spread, where that is declared', () => {
    const { row, ...result } = named(['0', '2'], [0.6, 0.2], { rest: 'drop' }, 3);
    expect(row).toEqual([0.75, 0, 0.25]);
    expect(result).toMatchObject({ completed: 0 });
    expect('dropped' in result && result.dropped).toBeCloseTo(0.2, 6);
  });

  it('top-k - in percent', () => {
    expect(named(['1'], [99], { percent: true }, 3).row).toEqual([0.005, 0.99, 0.005]);
  });

  it('thresholded - no class that was left out gets more than the threshold', () => {
    const { row, ...result } = named(['0'], [0.5], { kind: 'thresholded', threshold: 0.1 }, 3);
    expect(sum(row)).toBeCloseTo(1, 5);
    expect(row[1]! / row[0]!).toBeCloseTo(0.1 / 0.5, 5);
    expect('dropped' in result && result.dropped).toBeCloseTo(0.3, 6);
  });

  it('thresholded - nothing above it is an abstention', () => {
    const result = named([], [], { kind: 'thresholded', threshold: 0.5 });
    expect(result).toMatchObject({ ok: true, kind: 'abstained', why: 'empty', row: [0, 0, 0] });
  });

  it('label with its confidence - the rest is spread over the others', () => {
    expect(named(['2'], [0.8], { kind: 'label-confidence' }, 3).row).toEqual([0.1, 0.1, 0.8]);
    expect(normalise([2, 0.8], { kind: 'label-confidence', temperature: 1 }).row[2]).toBeCloseTo(0.8, 6);
  });

  it.each([
    ['a sum above 1', ['0', '1'], [0.9, 0.9], 'SUM', 'sum to 1.8 instead of 1'],
    ['a percentage where none is declared', ['0'], [87], 'SUM', 'answer.percent: true'],
    ['a negative score', ['0', '1'], [0.5, -0.5], 'NEGATIVE', 'below 0'],
    ['a score that is no number', ['0'], [Number.NaN], 'NAN', '"0" is NaN'],
    ['fewer scores than labels', ['0', '1'], [0.5], 'TEXT', '2 labels and 1 scores'],
    ['labels without scores', ['0'], undefined, 'TEXT', 'labels without scores'],
    ['an index beyond the classes', ['7'], [0.5], 'LABEL', 'label 7 is not a class in 0..2'],
    ['a name without answer.labels', ['cat'], [0.5], 'LABEL', 'declare answer.labels'],
  ])('%s is refused', (_, labels, scores, fault, message) => {
    const result = named(labels, scores, {});
    expect(result).toMatchObject({ ok: false, fault, row: [0, 0, 0] });
    expect('message' in result && result.message).toContain(message);
  });
});

describe('normalise - sigmoids', () => {
  it('odds - are the softmax of the logits behind them', () => {
    const logitsBehind = [2, 0, -1];
    const scores = logitsBehind.map((z) => 1 / (1 + Math.exp(-z)));
    const { row } = normalise(scores, { kind: 'sigmoids', temperature: 1 });
    const expected = normalise(logitsBehind, logits).row;
    row.forEach((value, k) => expect(value).toBeCloseTo(expected[k]!, 4));
  });

  it('shares - are the scores over their sum', () => {
    const { row } = normalise([0.5, 0.25, 0.25], { kind: 'sigmoids', temperature: 1, sigmoids: 'shares' });
    expect(row).toEqual([0.5, 0.25, 0.25]);
  });

  it('scores of 0 and 1 stay finite', () => {
    const { row } = normalise([1, 0, 1], { kind: 'sigmoids', temperature: 1 });
    expect(row[0]).toBeCloseTo(0.5, 5);
    expect(row.every(Number.isFinite)).toBe(true);
  });

  it('nothing above the threshold is an abstention', () => {
    const form: AnswerForm = { kind: 'sigmoids', temperature: 1, threshold: 0.6 };
    expect(normalise([0.5, 0.1, 0], form)).toMatchObject({ ok: true, kind: 'abstained', why: 'empty' });
    expect(normalise([0, 0, 0], { kind: 'sigmoids', temperature: 1 })).toMatchObject({ kind: 'abstained' });
  });

  it('of two labels of one class the higher counts', () => {
    const { row } = named(['cat', 'tabby', 'dog'], [0.5, 0.2, 0.5], {
      kind: 'sigmoids',
      labels: pets,
      sigmoids: 'shares',
    });
    expect(row).toEqual([0.5, 0.5, 0]);
  });

  it('a score above 1 is refused', () => {
    expect(normalise([2, 0, 0], { kind: 'sigmoids', temperature: 1 })).toMatchObject({ ok: false, fault: 'SUM' });
  });
});

describe('normalise - labels of an open set', () => {
  it('labels of one class add up; others are dropped and the rest scaled up', () => {
    const { row, ...result } = named(['tabby', 'cat', 'dog', 'car', 'house'], [0.2, 0.2, 0.1, 0.3, 0.2], {
      kind: 'probabilities',
      labels: pets,
    });
    expect(row).toEqual([0.8, 0.2, 0]);
    expect('dropped' in result && result.dropped).toBeCloseTo(0.5, 6);
  });

  it('other: spread - their mass goes to all classes alike', () => {
    const { row, ...result } = named(['cat', 'car'], [0.7, 0.3], {
      kind: 'probabilities',
      labels: pets,
      other: 'spread',
    });
    expect(row).toEqual([0.8, 0.1, 0.1]);
    expect('completed' in result && result.completed).toBeCloseTo(0.3, 6);
  });

  it('other: abstain - where such a label is the highest', () => {
    const abstain = { kind: 'probabilities', labels: pets, other: 'abstain' } as const;
    expect(named(['cat', 'car'], [0.4, 0.6], abstain)).toMatchObject({ kind: 'abstained', why: 'outside' });
    expect(named(['cat', 'car'], [0.6, 0.4], abstain)).toMatchObject({ kind: 'target', row: [1, 0, 0] });
  });

  it('nothing that is a class is no target', () => {
    const result = named(['car', 'house'], [0.5, 0.4], { labels: pets });
    expect(result).toMatchObject({ ok: true, kind: 'abstained', why: 'outside' });
    expect('message' in result && result.message).toContain('car, house');
  });

  it('a label by which the teacher says that it does not know is an abstention', () => {
    const form = { kind: 'hard-label', labels: pets, abstain: new Set(['unsure']) } as const;
    expect(named(['unsure'], undefined, form)).toMatchObject({ kind: 'abstained', why: 'declared' });
    expect(named(['dog'], undefined, form).row).toEqual([0, 1, 0]);
  });

  it('a row of more classes than the student has is mapped by index', () => {
    const few = new Map<string, number | null>([
      ['1', 0],
      ['3', 1],
    ]);
    const result = normalise([0.1, 0.3, 0.2, 0.3, 0.1], { kind: 'probabilities', temperature: 1, labels: few }, 2);
    expect(result.row[0]).toBeCloseTo(0.5, 6);
    expect('dropped' in result && result.dropped).toBeCloseTo(0.4, 6);
  });

  it('logits of more classes are softened before they are mapped', () => {
    const few = new Map<string, number | null>([
      ['0', 0],
      ['1', 1],
    ]);
    const { row } = normalise([Math.log(3), 0, 5], { kind: 'logits', temperature: 1, labels: few }, 2);
    expect(row[0]).toBeCloseTo(0.75, 5);
  });

  it('a class that the run does not have is refused', () => {
    expect(named(['bird'], [0.9], { labels: pets }, 2)).toMatchObject({ ok: false, fault: 'LABEL' });
  });

  it('hard label - of labels with scores only the highest counts', () => {
    expect(named(['dog', 'cat'], [0.4, 0.6], { kind: 'hard-label', labels: pets }).row).toEqual([1, 0, 0]);
  });
});

describe('normalise - text', () => {
  it('that can not be read is refused, not thrown', () => {
    const readText = () => {
      throw new Error('no list at labels');
    };
    const result = normaliseAnswer('{"x":1}', new Float32Array(3), { kind: 'top-k', temperature: 1, readText });
    expect(result).toMatchObject({ ok: false, fault: 'TEXT' });
    expect('message' in result && result.message).toContain('no list at labels');
  });

  it('where numbers are declared is refused', () => {
    expect(normaliseAnswer('cat', new Float32Array(3), hardLabel)).toMatchObject({ ok: false, fault: 'TEXT' });
  });
});

describe('normalise - every target is a distribution', () => {
  it.each(['top-k', 'thresholded', 'label-confidence', 'sigmoids', 'hard-label'] as const)('%s', (kind) => {
    const random = new RandomStream(3, kind);
    for (let round = 0; round < 200; round++) {
      const classes = 2 + random.integer(6);
      const count = kind === 'label-confidence' ? 1 : 1 + random.integer(classes);
      const order = Array.from({ length: classes }, (_, k) => ({ k, at: random.uniform() })).sort(
        (a, b) => a.at - b.at,
      );
      const labels = order.slice(0, count).map(({ k }) => String(k));
      const raw = labels.map(() => random.uniform());
      const scores = kind === 'sigmoids' ? raw : raw.map((value) => value / Math.max(1, sum(raw)));
      const { row, ...result } = named(labels, scores, { kind }, classes);
      expect(result.ok).toBe(true);
      if (!('kind' in result) || result.kind !== 'target') continue;
      expect(sum(row)).toBeCloseTo(1, 4);
      expect(row.every((value) => value >= 0)).toBe(true);
      const highest = labels[scores.indexOf(Math.max(...scores))]!;
      expect(row[Number(highest)]).toBe(Math.max(...row));
    }
  });
});

describe('normalise - in words', () => {
  it('says what was chosen', () => {
    expect(describeForm({ kind: 'top-k', temperature: 1, percent: true, labels: pets })).toBe(
      'top-k, rest spread over other classes, in percent, other labels: drop',
    );
    expect(describeForm({ kind: 'logits', temperature: 2 })).toBe('logits, temperature 2');
  });
});
