import { ConflictError } from '@bbdistill/common';

/** Others took this process for dead: its open calls are settled, its claims free. What wasn't sent has to start anew. */
export class ClaimLostError extends ConflictError {
  constructor(holder: string, teacher: string) {
    super(`${holder} stood still for so long that others took over its work at teacher "${teacher}"`, {
      code: 'CLAIM_LOST',
    });
  }
}
