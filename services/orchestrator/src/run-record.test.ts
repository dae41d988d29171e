import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openEmbeddedStores, systemClock } from '@bbdistill/common';
import type { Stores } from '@bbdistill/common';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.js';
import { RunStore } from './run-record.js';
import type { RunRecord } from './run-record.js';

const RUN = 'r-1';

describe('changes of a run', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let stores: Stores;
  let mine: RunStore;
  let theirs: RunStore;
  beforeEach(async () => {
    folder = await temporaryFolder();
    stores = await openEmbeddedStores({ folder: folder.path, clock: systemClock });
    [mine, theirs] = [new RunStore(stores.state, stores.events), new RunStore(stores.state, stores.events)];
    await mine.create({ id: RUN, state: 'running', jobs: [], cancelRequested: false } as unknown as RunRecord);
  });
  afterEach(async () => {
    await stores.close();
    await folder[Symbol.asyncDispose]();
  });

  const addJob = (job: string) => (record: RunRecord) => ({ ...record, jobs: [...record.jobs, job] });

  it.each(['unknown', 'my first run', '../x', 'a/b', '', 'x'.repeat(600)])(
    'no run of that id, "%s" - is not found, whether or not a store could have such a key',
    async (id) => {
      const message = `there is no run "${id}": ListRuns (bbdistill runs) lists them`;
      for (const call of [mine.get(id), mine.change(id, addJob('a'))]) {
        await expect(call).rejects.toMatchObject({
          kind: 'not-found',
          code: 'RUN_NOT_FOUND',
          message: expect.stringContaining(message) as string,
        });
      }
      await mine.delete(id);
    },
  );

  it('change - whoever wrote last needs not read again', async () => {
    await mine.change(RUN, addJob('a'));
    const reads = vi.spyOn(stores.state, 'get');
    await mine.change(RUN, addJob('b'));
    expect(reads).not.toHaveBeenCalled();
    expect((await theirs.get(RUN)).jobs).toEqual(['a', 'b']);
  });

  it('change - nothing that another process wrote meanwhile is lost', async () => {
    await mine.change(RUN, addJob('a'));
    await theirs.change(RUN, addJob('b'));
    await mine.change(RUN, addJob('c'));
    expect((await theirs.get(RUN)).jobs).toEqual(['a', 'b', 'c']);
  });

  it('change - leaves and refuses only by what is newest', async () => {
    const cancel = (record: RunRecord) => (record.cancelRequested ? undefined : { ...record, cancelRequested: true });
    await mine.change(RUN, cancel);
    await theirs.change(RUN, (record) => ({ ...record, cancelRequested: false }));
    expect(await mine.change(RUN, cancel)).toMatchObject({ cancelRequested: true });
    expect(await theirs.get(RUN)).toMatchObject({ cancelRequested: true });

    await theirs.change(RUN, (record) => ({ ...record, cancelRequested: false }));
    const refuse = (record: RunRecord) => {
      if (record.cancelRequested) throw new Error('cancelled');
      return addJob('late')(record);
    };
    expect((await mine.change(RUN, refuse)).jobs).toEqual(['late']);
  });
});
