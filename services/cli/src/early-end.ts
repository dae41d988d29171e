import type { Run__Output } from '@bbdistill/common/gen/bbdistill/v1/Run.js';
import type { GlobalOptions } from './context.js';
import type { Orchestrator } from './session.js';
import { stateFlag } from './state-flag.js';

export interface EarlyEndHints {
  /** How to go on, in words; default: by `resume`. */
  goOn?: string | undefined;
  /** A ceiling of images with which the run gets to its end, where that is known. */
  enoughImages?: number | undefined;
}

/** What to say of a run that ended without a student: why, and how to have one. */
export function earlyEndLines(run: Run__Output, options: GlobalOptions, hints: EarlyEndHints = {}): string[] {
  const why = run.failure
    ? `the run ended early: ${run.failure.code}: ${run.failure.message}`
    : 'the run was cancelled: nothing more is spent';
  const kept = 'everything paid for is kept; to go on:';
  if (hints.goOn !== undefined) return [why, `${kept} ${hints.goOn}`];
  if (run.state !== 'RUN_STATE_BUDGET_EXHAUSTED') return [why, `${kept} ${resumeLine(run, options)}`];
  if (isOfTeachersOwnBudget(run.failure?.message ?? '')) return [why, `${kept} ${afterTeachersBudget(run, options)}`];
  return [
    why,
    `${kept} ${resumeLine(run, options, ` ${budgetFlag(run, hints.enoughImages)}`)}`,
    'or start it anew with fewer synthetic images (--run.synthesis.images): what is answered already costs nothing there',
  ];
}

/**
 * A ceiling of images that gets a run to its end which its own budget ended, however few answers it finds in the cache.
 * @returns undefined where that isn't to be found out, or more images won't help
 */
export async function imagesToTheEnd(
  { state, spec, failure }: Run__Output,
  orchestrator: Orchestrator,
  signal: AbortSignal,
): Promise<number | undefined> {
  const message = failure?.message ?? '';
  if (state !== 'RUN_STATE_BUDGET_EXHAUSTED' || isOfTeachersOwnBudget(message) || isOfMoney(message)) return undefined;
  try {
    const plan = await orchestrator.unary('PlanRun', { spec }, { signal });
    const enough = plan.images + plan.knownCached + plan.evaluationImages;
    // Calls that failed may be billed as well: then it takes more than the plan knows of.
    return enough > (spec?.budget?.images ?? 0) ? enough : undefined;
  } catch {
    // A hint only: the end of the run is told all the same.
    return undefined;
  }
}

function resumeLine({ id }: Run__Output, options: GlobalOptions, more = ''): string {
  return `bbdistill resume ${id}${more}${stateFlag(options)}`;
}

/** Which ceiling was reached is told by the message alone. */
function budgetFlag({ failure }: Run__Output, enoughImages: number | undefined): string {
  return isOfMoney(failure?.message ?? '') ? '--budget-money AMOUNT' : `--budget-images ${enoughImages ?? 'N'}`;
}

function afterTeachersBudget(run: Run__Output, options: GlobalOptions): string {
  const teacher = run.spec?.teacher ?? '';
  if (options.orchestrator !== undefined) {
    return `${resumeLine(run, options)}, once whoever runs ${options.orchestrator} has raised the budget of teacher "${teacher}"`;
  }
  return `raise teachers.${teacher}.budget in the file that describes it, and name that file: ${resumeLine(run, options, ' FILE')}`;
}

function isOfMoney(message: string): boolean {
  return message.includes('millionths of its money');
}

/**
 * Whether a run found a ceiling of the teacher used up, which all runs share, not its own: of a failure only code and
 * message reach the command line, and the code is the same.
 */
export function isOfTeachersOwnBudget(message: string): boolean {
  return message.includes("raise it in the teacher's settings");
}
