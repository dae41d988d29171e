import { afterAll, beforeAll } from 'vitest';
import { describeWithNats, startNatsServer } from '../helpers/nats-server.js';
import type { NatsServer } from '../helpers/nats-server.js';
import { blobStoreContract } from './blob-store.contract.js';
import { eventLogContract } from './event-log.contract.js';
import type { FixtureOptions } from './fixture.js';
import { natsFixture } from './nats-fixture.js';
import { stateStoreContract } from './state-store.contract.js';
import { workQueueContract } from './work-queue.contract.js';

describeWithNats('stores in NATS', () => {
  let server: NatsServer;
  beforeAll(async () => void (server = await startNatsServer()));
  afterAll(() => server[Symbol.asyncDispose]());
  const open = (options?: FixtureOptions) => natsFixture(server, options);

  blobStoreContract('NATS', open);
  stateStoreContract('NATS', open);
  eventLogContract('NATS', open);
  workQueueContract('NATS', open);
});
