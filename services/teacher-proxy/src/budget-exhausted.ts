import { BbdError } from '@bbdistill/common';
import type { Budget, Spent } from './ledger-record.js';

/** The run's budget can't cover the next image. What was answered is kept; a larger budget goes on from here. */
export class BudgetExhaustedError extends BbdError {
  constructor(
    readonly run: string,
    readonly teacher: string,
    readonly spent: Spent,
    readonly budget: Budget,
    /** Where it isn't the run's own budget that ends: which ceiling of the teacher does. */
    teacherCeiling?: string,
  ) {
    const ceiling =
      budget.images !== undefined && spent.images >= budget.images
        ? `${spent.images} of ${budget.images} images`
        : `${spent.images} images and ${spent.moneyMicros} of ${budget.moneyMicros} millionths of its money`;
    super(
      'budget-exhausted',
      teacherCeiling
        ? `teacher "${teacher}" has used up ${teacherCeiling}: answers so far are kept; raise it in the teacher's settings, or resume run ${run} later`
        : `run ${run} has spent ${ceiling} at teacher "${teacher}": answers so far are kept; resume it with a larger budget`,
      { code: 'BUDGET_EXHAUSTED', retryable: false },
    );
  }
}
