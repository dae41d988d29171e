import { openNatsStores, silentLogger, sha256Hex, systemClock } from '@bbdistill/common';
import { EmbeddedAnswerCache, SharedAnswerCache } from '@bbdistill/teacher-proxy';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { describeWithNats, startNatsServer } from '../helpers/nats-server.js';
import type { NatsServer } from '../helpers/nats-server.js';
import { waitFor } from '../helpers/wait-for.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { boundedCacheContract } from './bounded-cache.contract.js';

const key = (n: number) => Buffer.from(sha256Hex(`image ${n}`), 'hex');
const answer = (n: number) => ({ raw: Float32Array.of(n, 1 - n), unit: 'unit', callId: `call.${n}` });

describeWithNats('answer cache - shared over NATS', () => {
  let server: NatsServer;

  beforeAll(async () => {
    server = await startNatsServer();
  });

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  async function replica(namespace: string) {
    const folder = await temporaryFolder();
    const stores = await openNatsStores({ servers: [server.url], replicas: 1, clock: systemClock, namespace });
    const local = new EmbeddedAnswerCache(folder.path);
    return {
      cache: new SharedAnswerCache(local, stores.answers!, silentLogger),
      local,
      stores,
      async [Symbol.asyncDispose]() {
        await local.close();
        await stores.close();
        await folder[Symbol.asyncDispose]();
      },
    };
  }

  it('putMany - is seen by other replicas, and kept there', async () => {
    await using a = await replica('seen');
    await using b = await replica('seen');
    const keys = Array.from({ length: 1100 }, (_, n) => key(n));
    await a.cache.putMany(keys.slice(0, 1000).map((each, n) => ({ key: each, answer: answer(n) })));
    const found = await b.cache.getMany(keys);
    expect(found.slice(0, 1000)).toEqual(keys.slice(0, 1000).map((_, n) => answer(n)));
    expect(found.slice(1000).every((entry) => entry === undefined)).toBe(true);
    await waitFor('the answers to be kept here', () => b.local.get(key(7)));
    expect(await b.local.get(key(7))).toEqual(answer(7));
    expect(await b.cache.getMany([key(5000)], true)).toEqual([undefined]);
    expect(await b.cache.getMany([])).toEqual([]);
  });

  let places = 0;
  boundedCacheContract(async () => {
    const namespace = `bounded-${++places}`;
    const opened: AsyncDisposable[] = [];
    const watching = await replica(namespace);
    return {
      async open(bound) {
        const folder = await temporaryFolder();
        opened.push(folder);
        const local = new EmbeddedAnswerCache(folder.path, bound);
        return new SharedAnswerCache(local, watching.stores.answers!, bound.logger, bound);
      },
      async kept(keys) {
        return (await watching.stores.answers!.getMany(keys)).map((value) => value !== undefined);
      },
      async [Symbol.asyncDispose]() {
        await watching[Symbol.asyncDispose]();
        for (const each of opened) await each[Symbol.asyncDispose]();
      },
    };
  });

  it('a damaged entry - is not there', async () => {
    await using a = await replica('damaged');
    await using b = await replica('damaged');
    await a.stores.answers!.putMany([{ key: key(1), value: Buffer.from('no entry') }]);
    expect(await b.cache.get(key(1))).toBeUndefined();
    await a.cache.putMany([{ key: key(1), answer: answer(1) }]);
    expect(await b.cache.get(key(1))).toEqual(answer(1));
  });
});
