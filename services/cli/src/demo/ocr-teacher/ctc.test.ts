import { RandomStream } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { oneCharacterProbability } from './ctc.js';

const ALPHABET = [0, 1, 2]; // blank, the character, another one

/** Collapses repeats, then drops blanks. */
function decode(path: readonly number[]): string {
  return path.filter((symbol, t) => symbol !== 0 && symbol !== path[t - 1]).join('');
}

function pathsOf(length: number): number[][] {
  if (length === 0) return [[]];
  return pathsOf(length - 1).flatMap((path) => ALPHABET.map((symbol) => [...path, symbol]));
}

describe('CTC - one character', () => {
  it.each([1, 2, 3, 4, 5])('is the sum over all paths of %i steps that decode to it', (steps) => {
    const random = new RandomStream(1, 'ctc', steps);
    const rows = Array.from({ length: steps }, () => {
      const row = ALPHABET.map(() => random.uniform());
      const sum = row.reduce((total, value) => total + value, 0);
      return row.map((value) => value / sum);
    });
    const expected = pathsOf(steps)
      .filter((path) => decode(path) === '1')
      .reduce((total, path) => total + path.reduce((product, symbol, t) => product * rows[t]![symbol]!, 1), 0);
    const found = oneCharacterProbability(
      rows.map((row) => row[0]!),
      rows.map((row) => row[1]!),
    );
    expect(found).toBeCloseTo(expected, 12);
  });

  it('is nothing where only blanks are seen', () => {
    expect(oneCharacterProbability([1, 1, 1], [0, 0, 0])).toBe(0);
  });
});
