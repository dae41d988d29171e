import { isJsonObject } from '@bbdistill/common';
import { TreeInterpreter, compile } from '@jmespath-community/jmespath';
import type { JSONValue } from '@jmespath-community/jmespath';
import type { NamedScores } from '../teacher.js';

/** A JMESPath expression, compiled: a grammar without functions that run code or reach out. */
export type JsonPath = (value: unknown) => unknown;

/** @throws where the expression is none */
export function jsonPath(expression: string): JsonPath {
  const compiled = compile(expression);
  return (value) => TreeInterpreter.search(compiled, value as JSONValue);
}

type Expression = ReturnType<typeof compile>;

/**
 * Like {@link jsonPath}, but what a list's elements don't have stays there as a gap, where JMESPath leaves it out: all that
 * follows would stand at another label, or for another class.
 * @returns undefined, inside a list: the element has no such member; null: it says null
 */
export function gappedPath(expression: string): JsonPath {
  const compiled = compile(expression);
  // What `$` stands for is the value that a search begins with: such a path can't be searched part by part.
  if (JSON.stringify(compiled).includes('"type":"Root"')) return jsonPath(expression);
  return (value) => withGaps(compiled, value as JSONValue);
}

function withGaps(expression: Expression, value: JSONValue): unknown {
  switch (expression.type) {
    case 'Projection': {
      const list = TreeInterpreter.search(expression.left, value);
      if (!Array.isArray(list)) return TreeInterpreter.search(expression, value);
      return list.map((element) => withGaps(expression.right, element));
    }
    case 'Subexpression': {
      const inner = TreeInterpreter.search(expression.left, value);
      return inner === null ? undefined : withGaps(expression.right, inner);
    }
    case 'Pipe':
      return withGaps(expression.right, TreeInterpreter.search(expression.left, value));
    case 'Field':
      return isJsonObject(value) && !(expression.name in value) ? undefined : TreeInterpreter.search(expression, value);
    default:
      return TreeInterpreter.search(expression, value);
  }
}

export interface AnswerPaths {
  /** Labels of one image: a list, or one label. */
  labels?: string | undefined;
  /** Scores beside them: a list, or one number. */
  scores?: string | undefined;
  /** Or a row of one number per class. */
  values?: string | undefined;
  /** What it means that there is nothing at labels; default unreadable. */
  absent?: 'abstain' | 'unreadable' | undefined;
}

/** Another form than the declared one, as of an error that came with a status of success. */
export class AnswerAbsentError extends Error {}

/**
 * Reads labels and scores, or a row, out of one image's part of a JSON answer.
 * @throws AnswerAbsentError where there is nothing at the paths; Error where what is there is no answer
 */
export function jsonReader(paths: AnswerPaths): (text: string) => NamedScores | Float32Array {
  const [labels, scores, values] = [paths.labels, paths.scores, paths.values].map((path) =>
    path === undefined ? undefined : gappedPath(path),
  );
  return (text) => {
    const item = JSON.parse(text) as unknown;
    if (values) return Float32Array.from(numbersOf(present(values(item), paths.values).flat(Infinity), paths.values));
    const found = labels?.(item);
    const named = paths.absent === 'abstain' ? listOf(found) : present(found, paths.labels);
    if (!scores) return { labels: named.map((label) => labelOf(label, paths.labels)) };
    const scored = listOf(scores(item));
    if (named.length > 0 && [...named, ...scored].every(isGap)) {
      throw new Error(`no element of the list has what ${paths.labels} and ${paths.scores} name`);
    }
    // An element that has neither says nothing of any class.
    const isThere = (_: unknown, at: number) => !isGap(named[at]) || !isGap(scored[at]);
    const isPaired = named.length === scored.length;
    return {
      labels: (isPaired ? named.filter(isThere) : named).map((label) => labelOf(label, paths.labels)),
      scores: numbersOf(isPaired ? scored.filter(isThere) : scored, paths.scores),
    };
  };
}

/** Strings of a tensor: labels alone, or `value:index:label` of Triton's classification extension. */
export function stringsReader(classification: boolean): (text: string) => NamedScores {
  return (text) => {
    const strings = listOf(JSON.parse(text) as unknown).map(asLabel);
    if (!classification) return { labels: strings };
    const parts = strings.map((string) => /^([^:]*):(\d+)(?::(.*))?$/s.exec(string) ?? notClassified(string));
    return {
      // A model without a label file names its classes by index only.
      labels: parts.map(([, , index, label]) => label || index!),
      scores: parts.map(([, value]) => asNumber(value)),
    };
  };
}

function notClassified(string: string): never {
  throw new Error(`"${string}" is not value:index:label`);
}

function present(value: unknown, path: string | undefined): unknown[] {
  if (value === null || value === undefined) throw new AnswerAbsentError(`there is nothing at ${path}`);
  return listOf(value);
}

function listOf(value: unknown): unknown[] {
  if (value === null || value === undefined) return [];
  return Array.isArray(value) ? value : [value];
}

function labelOf(value: unknown, path: string | undefined): string {
  if (isGap(value)) throw new Error(`an element of the list lacks what ${path} names`);
  return asLabel(value);
}

function asLabel(value: unknown): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  throw new Error(`${JSON.stringify(value)} is no label`);
}

const isGap = (value: unknown) => value === undefined;

/** Servers whose JSON is made of protocol buffers leave out what is 0; where all is left out, the path is a wrong one. */
function numbersOf(values: readonly unknown[], path: string | undefined): number[] {
  if (values.length > 0 && values.every(isGap)) throw new Error(`no element of the list has what ${path} names`);
  return values.map((value) => (isGap(value) ? 0 : asNumber(value)));
}

function asNumber(value: unknown): number {
  if (typeof value === 'number') return value;
  if (typeof value === 'string' && value.trim() !== '' && !Number.isNaN(Number(value))) return Number(value);
  throw new Error(`${JSON.stringify(value)} is no number`);
}
