import { asBbdError, grouped } from '@bbdistill/common';
import type { ErrorKind } from '@bbdistill/common';
import type { PlanRunResponse__Output } from '@bbdistill/common/gen/bbdistill/v1/PlanRunResponse.js';
import type { RunSpec__Output } from '@bbdistill/common/gen/bbdistill/v1/RunSpec.js';
import { duration, moneyAtMost } from './figures.js';
import type { Output } from './output.js';
import type { Orchestrator } from './session.js';

/**
 * What the making of the run would be refused for as well: said once is enough. Not `permission-denied`: whoever may make
 * runs need not be allowed to read, which a plan takes.
 */
const REFUSALS: readonly ErrorKind[] = ['invalid-argument', 'not-found', 'failed-precondition', 'unauthenticated'];

/**
 * Says what a run may ask and cost before anything is spent.
 * Where that can't be found out now the run goes on all the same: it has its own checks and its budget.
 * @throws BbdError where the run can't be made either; CancelledError
 */
export async function announcePlan(
  spec: RunSpec__Output,
  orchestrator: Orchestrator,
  output: Output,
  signal: AbortSignal,
): Promise<void> {
  try {
    const plan = await orchestrator.unary('PlanRun', { spec }, { signal });
    output.stderr(planLine(plan));
    for (const note of plan.notes) output.stderr(`note: ${note}`);
  } catch (error) {
    const { kind, message } = asBbdError(error);
    if (signal.aborted || REFUSALS.includes(kind)) throw error;
    output.stderr(`what the run may cost could not be found out: ${message}`);
  }
}

/** E.g. `at most 26 000 images to ask, in 1 300 calls, 39.00 USD, 2 min 10 s by the teacher's limits`. */
export function planLine(plan: PlanRunResponse__Output): string {
  const parts = [
    `at most ${grouped(plan.images + plan.evaluationImages)} images to ask`,
    `in ${grouped(plan.calls)} calls`,
    ...(plan.costMicros > 0 ? [`${moneyAtMost(plan.costMicros)} ${plan.currency}`] : []),
    ...(plan.labelSeconds > 0 ? [`${duration(plan.labelSeconds)} by the teacher's limits`] : []),
  ];
  return parts.join(', ');
}
