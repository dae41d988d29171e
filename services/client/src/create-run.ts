import { randomUUID } from 'node:crypto';
import { asBbdError, errorOfKind, patiently, runIdOf, systemClock } from '@bbdistill/common';
import type { Clock, ErrorKind } from '@bbdistill/common';
import type { Run__Output } from '@bbdistill/common/gen/bbdistill/v1/Run.js';
import type { RunSpec } from '@bbdistill/common/gen/bbdistill/v1/RunSpec.js';
import type { Orchestrator } from './orchestrator.js';

/** Failures that don't tell whether the run was made. */
const OPEN_KINDS: readonly ErrorKind[] = ['unavailable', 'deadline-exceeded', 'cancelled', 'internal'];

export interface CreateRunOptions {
  /** The same id returns the same run. Default: a new one. */
  requestId?: string;
  /** Ends the waiting between two attempts. */
  signal?: AbortSignal;
  clock?: Clock;
}

/**
 * Makes a run; one attempt or several, it is one run.
 * @throws BbdError where the orchestrator refuses it, or gave no answer: then the message names the run that may be there
 */
export async function createRun(
  orchestrator: Orchestrator,
  spec: RunSpec,
  { requestId = randomUUID(), signal, clock = systemClock }: CreateRunOptions = {},
): Promise<Run__Output> {
  const create = () => orchestrator.unary('CreateRun', { requestId, spec });
  try {
    return await patiently(create, { clock, afterDeadline: true, ...(signal && { signal }) });
  } catch (thrown) {
    const error = asBbdError(thrown);
    if (!OPEN_KINDS.includes(error.kind)) throw error;
    const { kind, message, code, retryable, retryAfterMs } = error;
    const runId = runIdOf(requestId);
    throw errorOfKind(
      kind,
      `${message}; run ${runId} may have been made all the same: look for it (bbdistill watch ${runId}, or GetRun) ` +
        'before you make another one',
      { code, retryable, cause: error, ...(retryAfterMs !== undefined && { retryAfterMs }) },
    );
  }
}
