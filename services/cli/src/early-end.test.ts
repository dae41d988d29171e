import type { Run__Output } from '@bbdistill/common/gen/bbdistill/v1/Run.js';
import { BudgetExhaustedError } from '@bbdistill/teacher-proxy';
import { describe, expect, it } from 'vitest';
import { earlyEndLines, isOfTeachersOwnBudget } from './early-end.js';
import { DEFAULT_STATE_FOLDER } from './session.js';

const SPENT = { images: 60, moneyMicros: 0, openImages: 0 };
const ofRun = new BudgetExhaustedError('abc', 'mine', SPENT, { images: 60 });
const ofTeacher = new BudgetExhaustedError('abc', 'mine', SPENT, { images: 900 }, "this month's budget");
const LOCAL = { state: DEFAULT_STATE_FOLDER };

function said(failure: BudgetExhaustedError | undefined, options = {}, goOn?: string): string {
  const state = failure ? 'RUN_STATE_BUDGET_EXHAUSTED' : 'RUN_STATE_CANCELLED';
  const run = { id: 'abc', state, failure: failure ?? null, spec: { teacher: 'mine' } } as Run__Output;
  return earlyEndLines(run, { ...LOCAL, ...options }, goOn).join('\n');
}

describe('a run that ended early', () => {
  it("by its own budget - the run's is raised, or less is asked", () => {
    expect(isOfTeachersOwnBudget(ofRun.message)).toBe(false);
    expect(said(ofRun)).toMatch(/BUDGET_EXHAUSTED: run abc has spent[^]*--budget-images[^]*--run\.synthesis\.images/);
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
    const lines = said(ofRun, {}, 'bbdistill demo again');
    expect(lines).toMatch(/is kept; to go on: bbdistill demo again$/);
    expect(lines).not.toContain('--run.');
    expect(said(undefined, {}, 'bbdistill demo again')).not.toContain('resume');
  });
});
