import { openEmbeddedStores, systemClock } from '@bbdistill/common';
import type { Job__Output } from '@bbdistill/common/gen/bbdistill/v1/Job.js';
import type { Stores } from '@bbdistill/common';
import { temporaryFolder } from './temporary-folder.js';

export interface TemporaryStores extends AsyncDisposable {
  readonly stores: Stores;
  readonly folder: string;
}

/** Embedded stores in a folder of their own; `await using` closes and deletes them. */
export async function temporaryStores(): Promise<TemporaryStores> {
  const folder = await temporaryFolder();
  const stores = await openEmbeddedStores({ folder: folder.path, clock: systemClock });
  return {
    stores,
    folder: folder.path,
    async [Symbol.asyncDispose]() {
      await stores.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/**
 * Follows a job to its end.
 * @returns its result
 * @throws Error with the failure's code where it did not succeed
 */
export async function resultOf<Result>(changes: AsyncIterable<Job__Output>): Promise<Result> {
  let last: Job__Output | undefined;
  for await (const job of changes) last = job;
  if (last?.state !== 'JOB_STATE_SUCCEEDED') {
    throw new Error(`${last?.state}: ${last?.failure?.code} ${last?.failure?.message}`);
  }
  return JSON.parse(last.resultJson) as Result;
}
