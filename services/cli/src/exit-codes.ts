import { EXIT } from '@bbdistill/common';
import type { RunState__Output } from '@bbdistill/common/gen/bbdistill/v1/RunState.js';

export { EXIT, exitCodeOfError } from '@bbdistill/common';

/** Failures after which nothing is wrong with the run: it goes on once the teacher is there. */
const UNREACHABLE = new Set(['TEACHER_UNREACHABLE', 'TEACHER_THROTTLED', 'UNAVAILABLE']);

export function exitCodeOfRun(state: RunState__Output, failureCode = ''): number {
  switch (state) {
    case 'RUN_STATE_SUCCEEDED':
      return EXIT.ok;
    case 'RUN_STATE_BUDGET_EXHAUSTED':
      return EXIT.budgetExhausted;
    case 'RUN_STATE_CANCELLED':
      return EXIT.interrupted;
    default:
      return UNREACHABLE.has(failureCode) ? EXIT.unavailable : EXIT.runFailed;
  }
}
