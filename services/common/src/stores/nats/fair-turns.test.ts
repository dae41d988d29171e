import { describe, expect, it } from 'vitest';
import { FairTurns, MAX_ANSWERS_A_TURN } from './fair-turns.js';

const nextTurn = () => new Promise((resolve) => setImmediate(resolve));

describe('fair turns', () => {
  it('turns - what comes in one piece is let through a few at a time, in its order', async () => {
    const turns = new FairTurns();
    const passed: number[] = [];
    const numbers = Array.from({ length: 2 * MAX_ANSWERS_A_TURN + 3 }, (_, index) => index);
    const all = numbers.map(async (number) => {
      await turns.pass();
      passed.push(number);
    });
    const counts: number[] = [];
    for (let turn = 0; turn < 3; turn++) {
      await nextTurn();
      counts.push(passed.length);
    }
    await Promise.all(all);
    expect(counts).toEqual([2 * MAX_ANSWERS_A_TURN, numbers.length, numbers.length]);
    expect(passed).toEqual(numbers);
  });

  it('turns - who comes alone never waits', async () => {
    const turns = new FairTurns();
    for (let turn = 0; turn < 3; turn++) {
      for (let answer = 0; answer < MAX_ANSWERS_A_TURN; answer++) expect(turns.pass()).toBeUndefined();
      await nextTurn();
    }
  });
});
