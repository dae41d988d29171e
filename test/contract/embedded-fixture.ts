import { openEmbeddedStores, systemClock } from '@bbdistill/common';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import type { FixtureOptions, StoresFixture } from './fixture.js';

export async function embeddedFixture(options: FixtureOptions = {}): Promise<StoresFixture> {
  const folder = await temporaryFolder();
  const open = () => openEmbeddedStores({ folder: folder.path, clock: systemClock, ...options });
  let stores = await open();
  return {
    get stores() {
      return stores;
    },
    async reopen() {
      await stores.close();
      return (stores = await open());
    },
    close: () => stores.close(),
    childArguments: ['embedded', folder.path],
    async [Symbol.asyncDispose]() {
      await stores.close();
      await folder[Symbol.asyncDispose]();
    },
  };
}
