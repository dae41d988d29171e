import type { Run__Output } from '@bbdistill/common/gen/bbdistill/v1/Run.js';
import type { GlobalOptions } from './context.js';
import { stateFlag } from './state-flag.js';

/**
 * What to say of a run that ended without a student: why, and how to have one.
 * @param goOn how to go on, in words; default: by `resume`
 */
export function earlyEndLines(run: Run__Output, options: GlobalOptions, goOn?: string): string[] {
  const why = run.failure
    ? `the run ended early: ${run.failure.code}: ${run.failure.message}`
    : 'the run was cancelled: nothing more is spent';
  if (goOn !== undefined) return [why, `everything paid for is kept; to go on: ${goOn}`];
  return [
    why,
    `everything paid for is kept; to go on: bbdistill resume ${run.id}${stateFlag(options)}`,
    ...(run.state === 'RUN_STATE_BUDGET_EXHAUSTED' ? budgetLines(run, options) : []),
  ];
}

function budgetLines({ id, spec, failure }: Run__Output, options: GlobalOptions): string[] {
  if (!isOfTeachersOwnBudget(failure?.message ?? '')) {
    return [
      'give it more with --budget-images or --budget-money; or start it anew with fewer synthetic images',
      '(--run.synthesis.images): what is answered already costs nothing there',
    ];
  }
  const teacher = spec?.teacher ?? '';
  if (options.orchestrator !== undefined) {
    return [`first whoever runs ${options.orchestrator} has to raise the budget of teacher "${teacher}"`];
  }
  return [
    `first raise teachers.${teacher}.budget in the file that describes it, and name that file as well: ` +
      `bbdistill resume ${id} FILE${stateFlag(options)}`,
  ];
}

/**
 * Whether a run found a ceiling of the teacher used up, which all runs share, not its own: of a failure only code and
 * message reach the command line, and the code is the same.
 */
export function isOfTeachersOwnBudget(message: string): boolean {
  return message.includes("raise it in the teacher's settings");
}
