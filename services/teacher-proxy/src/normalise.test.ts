import { describe, expect, it } from 'vitest';
import { normaliseAnswer } from './normalise.js';
import type { AnswerForm } from './teacher.js';

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

  it.each([
    ['a label out of range', [3], 'LABEL'],
    ['a negative label', [-1], 'LABEL'],
    ['a label between two', [1.5], 'LABEL'],
    ['a whole row', [0, 0, 1], 'LENGTH'],
  ])('hard label - %s is refused', (_, values, fault) => {
    expect(normalise(values, hardLabel)).toMatchObject({ ok: false, fault });
  });
});
