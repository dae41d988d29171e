import { BbdError } from '@bbdistill/common';
import type { ErrorKind } from '@bbdistill/common';
import type { RunSpec__Output } from '@bbdistill/common/gen/bbdistill/v1/RunSpec.js';
import { describe, expect, it } from 'vitest';
import { announcePlan } from './announce-plan.js';
import type { Orchestrator } from './session.js';

const PLAN = {
  images: 25_000,
  evaluationImages: 1_000,
  calls: 1_300,
  knownCached: 0,
  costMicros: 39_000_000,
  currency: 'USD',
  labelSeconds: 130,
  withinBudget: false,
  notes: ['the budget ends it after 700 of up to 26 000 images, before there is a student'],
};

async function announced(answer: () => Promise<unknown>, signal = new AbortController().signal): Promise<string[]> {
  const lines: string[] = [];
  const orchestrator = { unary: answer } as unknown as Orchestrator;
  const output = { stdout: () => undefined, stderr: (line: string) => void lines.push(line), interactive: false };
  await announcePlan({} as RunSpec__Output, orchestrator, output, signal);
  return lines;
}

describe('what a run may cost', () => {
  it('is said with what speaks against it', async () =>
    expect(await announced(() => Promise.resolve(PLAN))).toEqual([
      "at most 26 000 images to ask, in 1 300 calls, 39.00 USD, 2 min 10 s by the teacher's limits",
      'note: the budget ends it after 700 of up to 26 000 images, before there is a student',
    ]));

  it('names no price and no time where there are none', async () =>
    expect(await announced(() => Promise.resolve({ ...PLAN, costMicros: 0, labelSeconds: 0, notes: [] }))).toEqual([
      'at most 26 000 images to ask, in 1 300 calls',
    ]));

  it.each<ErrorKind>([
    'unavailable',
    'deadline-exceeded',
    'resource-exhausted',
    'internal',
    // A token of runs:write alone.
    'permission-denied',
    // An orchestrator that is older.
    'unimplemented',
  ])('not to be found out now (%s) - is said, and ends nothing', async (kind) =>
    expect(await announced(() => Promise.reject(new BbdError(kind, 'the reason')))).toEqual([
      'what the run may cost could not be found out: the reason',
    ]),
  );

  it.each<ErrorKind>(['invalid-argument', 'not-found', 'failed-precondition', 'unauthenticated'])(
    'refused as the run itself would be (%s) - ends it',
    async (kind) =>
      expect(announced(() => Promise.reject(new BbdError(kind, 'a wrong setting')))).rejects.toMatchObject({ kind }),
  );

  it('Ctrl-C meanwhile - ends it', async () =>
    expect(announced(() => Promise.reject(new Error('left')), AbortSignal.abort())).rejects.toThrow('left'));
});
