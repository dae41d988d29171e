import { jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { JobClient, encodeJson, runJobWorker, systemClock } from '@bbdistill/common';
import { describeWithNats, startNatsServer } from '../helpers/nats-server.js';
import type { NatsServer } from '../helpers/nats-server.js';
import { waitFor } from '../helpers/wait-for.js';
import { natsFixture } from './nats-fixture.js';

const JOBS = 60;

describeWithNats('NATS consumers', () => {
  let server: NatsServer;
  beforeAll(async () => void (server = await startNatsServer()));
  afterAll(() => server[Symbol.asyncDispose]());

  it('consumers - waiting for any number of jobs and working on them takes one of the records in each process', async () => {
    await using fixture = await natsFixture(server);
    const nc = await connect({ servers: server.url });
    const jsm = await jetstreamManager(nc);
    const consumersOfRecords = async () => {
      let consumers = 0;
      for await (const { config } of jsm.streams.list()) {
        const { name } = config;
        if (!name.startsWith('KV_')) continue;
        for await (const _ of jsm.consumers.list(name)) consumers++;
      }
      return consumers;
    };
    const client = new JobClient(fixture.stores, systemClock);
    const signal = new AbortController().signal;
    const ids = await Promise.all(
      Array.from({ length: JOBS }, async (_, number) => (await client.submit('work', { number })).id),
    );
    const seen = new Set<string>();
    const results = Promise.all(ids.map((id) => client.result<number>(id, signal, () => void seen.add(id))));
    await waitFor('all to be waited for', () => seen.size === JOBS);
    expect(await consumersOfRecords()).toBe(1);

    const stop = new AbortController();
    const waiting: (() => void)[] = [];
    const working = runJobWorker({
      stores: fixture.stores,
      clock: systemClock,
      handlers: {
        work: async ({ number }: { number: number }) => {
          await new Promise<void>((resolve) => waiting.push(resolve));
          return number;
        },
      },
      concurrency: JOBS,
      signal: stop.signal,
      onError: (error) => expect.unreachable(error.message),
    });
    await waitFor('all to be worked on', () => waiting.length === JOBS);
    expect(await consumersOfRecords()).toBe(1);
    for (const resume of waiting) resume();
    expect(await results).toEqual(Array.from({ length: JOBS }, (_, number) => number));
    stop.abort();
    await working;
    await nc.close();
  });

  it('consumers - whoever watches single keys of a folder learns of changes after the server was away', async () => {
    await using fixture = await natsFixture(server);
    const { state } = fixture.stores;
    const stop = new AbortController();
    const seen: string[] = [];
    const watching = ['runs/a', 'runs/b'].map(async (key) => {
      for await (const change of state.watchKey(key, stop.signal)) {
        seen.push(`${key} ${change.type === 'put' ? change.entry.revision : 'gone'}`);
      }
    });
    const first = await state.create('runs/a', encodeJson(1));
    await waitFor('the first change', () => seen.length === 1);
    await server.kill();
    await server.start();
    const second = await state.update('runs/a', encodeJson(2), first);
    const other = await state.create('runs/b', encodeJson(1));
    await waitFor('the changes after the outage', () => seen.length >= 3, 20_000);
    stop.abort();
    await Promise.all(watching);
    expect(seen.sort()).toEqual([`runs/a ${first}`, `runs/a ${second}`, `runs/b ${other}`].sort());
  });
});
