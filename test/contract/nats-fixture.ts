import { openNatsStores, systemClock } from '@bbdistill/common';
import type { NatsStores } from '@bbdistill/common';
import type { NatsServer } from '../helpers/nats-server.js';
import type { FixtureOptions, StoresFixture } from './fixture.js';

let fixtures = 0;

/** Stores on a server that outlives them, under a namespace of their own. */
export async function natsFixture(
  server: Pick<NatsServer, 'url'>,
  options: FixtureOptions = {},
): Promise<StoresFixture & { readonly stores: NatsStores; another(): Promise<NatsStores & AsyncDisposable> }> {
  const namespace = `test${++fixtures}`;
  const open = () => openNatsStores({ servers: [server.url], replicas: 1, clock: systemClock, namespace, ...options });
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
    /** The same data, as another process has it. */
    async another() {
      const more = await open();
      return { ...more, [Symbol.asyncDispose]: () => more.close() };
    },
    childArguments: ['nats', server.url, namespace, ...(options.ackWaitMs ? [String(options.ackWaitMs)] : [])],
    [Symbol.asyncDispose]: () => stores.close(),
  };
}
