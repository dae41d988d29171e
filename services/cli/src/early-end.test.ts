import type { Run__Output } from '@bbdistill/common/gen/bbdistill/v1/Run.js';
import { BudgetExhaustedError } from '@bbdistill/teacher-proxy';
import { describe, expect, it } from 'vitest';
import { earlyEndLines, imagesToTheEnd, isOfTeachersOwnBudget } from './early-end.js';
import type { EarlyEndHints } from './early-end.js';
import { DEFAULT_STATE_FOLDER } from './session.js';
import type { Orchestrator } from './session.js';

const SPENT = { images: 60, moneyMicros: 0, openImages: 0 };
const ofRun = new BudgetExhaustedError('abc', 'mine', SPENT, { images: 60 });
const ofTeacher = new BudgetExhaustedError('abc', 'mine', SPENT, { images: 900 }, "this month's budget");
const ofMoney = new BudgetExhaustedError('abc', 'mine', SPENT, { moneyMicros: 5 });
const LOCAL = { state: DEFAULT_STATE_FOLDER };

function ended(failure: BudgetExhaustedError | undefined): Run__Output {
  const state = failure ? 'RUN_STATE_BUDGET_EXHAUSTED' : 'RUN_STATE_CANCELLED';
  const spec = { teacher: 'mine', budget: { images: 60 } };
  return { id: 'abc', state, failure: failure ?? null, spec } as Run__Output;
}

function said(failure: BudgetExhaustedError | undefined, options = {}, hints: EarlyEndHints = {}): string {
  return earlyEndLines(ended(failure), { ...LOCAL, ...options }, hints).join('\n');
}

describe('a run that ended early', () => {
  it("by its own budget - the run's is raised, or less is asked", () => {
    expect(isOfTeachersOwnBudget(ofRun.message)).toBe(false);
    expect(said(ofRun)).toMatch(
      /BUDGET_EXHAUSTED: run abc has spent[^]*to go on: bbdistill resume abc --budget-images N\n[^]*--run\.synthesis\.images/,
    );
    expect(said(ofRun, { state: 'mine' }, { enoughImages: 2_400 })).toContain(
      'to go on: bbdistill resume abc --budget-images 2400 --state mine\n',
    );
    expect(said(ofMoney)).toContain('to go on: bbdistill resume abc --budget-money AMOUNT\n');
  });

  it.each([
    ['its own', ofRun, { images: 2_000, knownCached: 390, evaluationImages: 10 }, 2_400],
    [
      'its own, and the plan names fewer than it had',
      ofRun,
      { images: 50, knownCached: 0, evaluationImages: 0 },
      undefined,
    ],
    ['that of money', ofMoney, { images: 2_000, knownCached: 0, evaluationImages: 0 }, undefined],
    ["the teacher's", ofTeacher, { images: 2_000, knownCached: 0, evaluationImages: 0 }, undefined],
    ['its own, and there is no plan', ofRun, undefined, undefined],
  ])('by a budget, %s - how many images it takes', async (_whose, failure, plan, enough) => {
    const unary = () => (plan ? Promise.resolve(plan) : Promise.reject(new Error('not now')));
    const { signal } = new AbortController();
    expect(await imagesToTheEnd(ended(failure), { unary } as unknown as Orchestrator, signal)).toBe(enough);
  });

  it("by the teacher's budget - the teacher's is raised, where it is described", () => {
    expect(isOfTeachersOwnBudget(ofTeacher.message)).toBe(true);
    const here = said(ofTeacher, { state: 'mine' });
    expect(here).toMatch(/raise teachers\.mine\.budget .*: bbdistill resume abc FILE --state mine$/);
    expect(here).not.toContain('--budget-images');
    expect(said(ofTeacher, { orchestrator: 'api:443' })).toMatch(/whoever runs api:443 .* teacher "mine"$/);
  });

  it('by Ctrl-C - says how to resume it', () =>
    expect(said(undefined, { state: 'mine' })).toBe(
      'the run was cancelled: nothing more is spent\n' +
        'everything paid for is kept; to go on: bbdistill resume abc --state mine',
    ));

  it('of a command that makes its own run - goes on by that command, which takes no settings of a run', () => {
    const lines = said(ofRun, {}, { goOn: 'bbdistill demo again' });
    expect(lines).toMatch(/is kept; to go on: bbdistill demo again$/);
    expect(lines).not.toContain('--run.');
    expect(said(undefined, {}, { goOn: 'bbdistill demo again' })).not.toContain('resume');
  });
});
