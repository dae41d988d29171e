import type { ServiceClient } from '@bbdistill/common';

/** The API as gRPC has it, one method a call; the rest of this package makes it comfortable. */
export type Orchestrator = ServiceClient<'bbdistill.v1.DistillationService'>;
