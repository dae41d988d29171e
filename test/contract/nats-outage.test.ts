import { randomBytes } from 'node:crypto';
import { JetStreamApiError } from '@nats-io/jetstream';
import { JetStreamStatusError } from '@nats-io/jetstream/internal';
import { errors } from '@nats-io/transport-node';
import type { Subscription } from '@nats-io/transport-node';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import {
  BLOB_TIME_GRAIN_MS,
  RevisionMismatchError,
  decodeJson,
  encodeJson,
  openNatsStores,
  sha256Hex,
  silentLogger,
  systemClock,
} from '@bbdistill/common';
import type { Delivery, NatsStores, NatsStoresOptions, StateChange } from '@bbdistill/common';
import type { BucketValue } from '../../services/common/src/stores/byte-bucket.js';
import { LoopAges } from '../../services/common/src/stores/nats/loop-ages.js';
import { NatsBlobStore } from '../../services/common/src/stores/nats/nats-blob-store.js';
import { NatsByteBucket } from '../../services/common/src/stores/nats/nats-byte-bucket.js';
import { NatsLink } from '../../services/common/src/stores/nats/nats-link.js';
import { NatsStateStore } from '../../services/common/src/stores/nats/nats-state-store.js';
import { describeWithNats, startNatsServer } from '../helpers/nats-server.js';
import type { NatsServer } from '../helpers/nats-server.js';
import { waitFor } from '../helpers/wait-for.js';
import { bytesOf, collect, killAfterLines, startCrashChild, textOf } from './fixture.js';
import { natsFixture } from './nats-fixture.js';

const OUTAGE_WAIT_MS = 20_000;

describeWithNats('NATS stores over outages and among clients', () => {
  let server: NatsServer;
  beforeAll(async () => void (server = await startNatsServer()));
  afterAll(() => server[Symbol.asyncDispose]());

  const open = (namespace: string, options: Partial<NatsStoresOptions> = {}): Promise<NatsStores> =>
    openNatsStores({ servers: [server.url], replicas: 1, clock: systemClock, namespace, ...options });

  /** Kills the server, lets the work begin while it is away, and brings it back. */
  async function outage<T>(meanwhile: () => Promise<T>): Promise<T> {
    await server.kill();
    const result = meanwhile();
    result.catch(() => undefined);
    await server.start();
    return result;
  }

  describe('nats-server killed and started again', () => {
    it('state - acknowledged records are there, a write begun in the outage is made, a watch goes on', async () => {
      await using fixture = await natsFixture(server);
      const { state } = fixture.stores;
      const stop = new AbortController();
      const seen: StateChange[] = [];
      const watching = (async () => {
        for await (const change of state.watch('jobs/', stop.signal)) seen.push(change);
      })();
      const keys = Array.from({ length: 50 }, (_, i) => `jobs/${i}`);
      const revisions = await Promise.all(keys.map((key) => state.create(key, bytesOf(key))));
      // A watch tells the newest of a key: without this it may pass over what the update below replaces.
      await waitFor('what was made before', () => seen.length === keys.length, OUTAGE_WAIT_MS);
      const during = await outage(() => state.update('jobs/0', bytesOf('again'), revisions[0]!));
      await state.create('jobs/after', bytesOf('after'));
      for (const key of keys.slice(1)) expect(textOf((await state.get(key))!.value)).toBe(key);
      expect((await state.get('jobs/0'))!.revision).toBe(during);
      const tell = (change: StateChange) =>
        change.type === 'put' ? `${change.entry.key} ${textOf(change.entry.value)}` : `delete ${change.key}`;
      await waitFor('all changes', () => seen.some((c) => tell(c) === 'jobs/after after'), OUTAGE_WAIT_MS);
      stop.abort();
      await watching;
      const expected = [...keys.map((key) => `${key} ${key}`), 'jobs/0 again', 'jobs/after after'];
      expect(seen.map(tell).sort()).toEqual(expected.sort());
    });

    it('events - a follower misses and repeats none, an append begun in the outage is made once', async () => {
      await using fixture = await natsFixture(server);
      const { events } = fixture.stores;
      const stop = new AbortController();
      const seen: number[] = [];
      const following = (async () => {
        for await (const event of events.read('runs/a', { follow: true, signal: stop.signal }))
          seen.push(event.sequence);
      })();
      for (let last = 0; last < 20; last++) await events.append('runs/a', bytesOf('before'), last);
      expect(await outage(() => events.append('runs/a', bytesOf('during'), 20))).toBe(21);
      expect(await events.append('runs/a', bytesOf('after'), 21)).toBe(22);
      await waitFor('all events', () => seen.length >= 22, OUTAGE_WAIT_MS);
      stop.abort();
      await following;
      expect(seen).toEqual(Array.from({ length: 22 }, (_, i) => i + 1));
    });

    it('queue - a consumer goes on, a job in hand is acknowledged after the outage and stays away', async () => {
      await using fixture = await natsFixture(server, { ackWaitMs: 2_000 });
      const { queue } = fixture.stores;
      const stop = new AbortController();
      await queue.publish({ kind: 'a', id: 'in hand' });
      const deliveries = queue.consume({ kinds: ['a'], concurrency: 1, signal: stop.signal })[Symbol.asyncIterator]();
      const next = async () => {
        const { value } = (await deliveries.next()) as IteratorResult<Delivery, undefined>;
        return value!;
      };
      const inHand = await next();
      await outage(async () => {
        await queue.publish({ kind: 'a', id: 'during' });
        await inHand.ack();
      });
      await queue.publish({ kind: 'a', id: 'after' });
      for (const id of ['during', 'after']) {
        const delivery = await next();
        expect(delivery.message.id).toBe(id);
        await delivery.ack();
      }
      stop.abort();
      expect((await deliveries.next()).done).toBe(true);
      expect(await queue.waiting('a')).toBe(0);
    });

    it('blobs - what was acknowledged is whole, and large ones being written at the kill are too', async () => {
      await using fixture = await natsFixture(server);
      const { blobs } = fixture.stores;
      const before = await Promise.all([64, 100_000, 3_000_000].map((size) => blobs.put(randomBytes(size))));
      const writing = Promise.all(Array.from({ length: 4 }, () => blobs.put(randomBytes(5_000_000))));
      writing.catch(() => undefined);
      const refs = [...before, ...(await outage(() => writing))];
      // A blob is read only where its bytes have its hash.
      for (const ref of refs) expect((await blobs.get(ref.sha256)).length).toBe(ref.sizeBytes);
      expect((await collect(blobs.list())).sort()).toEqual(refs.map((ref) => ref.sha256).sort());
    });

    it('health - tells the outage, and that loops live', async () => {
      await using fixture = await natsFixture(server);
      const { stores } = fixture;
      const stop = new AbortController();
      const watching = collect(stores.state.watch('', stop.signal));
      await waitFor('the watch', () => stores.health().oldestLoop);
      expect(stores.health()).toMatchObject({ connected: true, oldestLoop: { name: 'watch ' } });
      await server.kill();
      await waitFor('the loss', () => !stores.health().connected);
      await server.start();
      await waitFor('the connection', () => stores.health().connected, OUTAGE_WAIT_MS);
      stop.abort();
      await watching;
      expect(stores.health().oldestLoop).toBeUndefined();
    });

    it('patience - an operation fails as unavailable once it is over, and says what to look at', async () => {
      const stores = await open('patience', { patienceMs: 300 });
      await server.kill();
      const reading = stores.state.get('a');
      await expect(reading).rejects.toMatchObject({ code: 'NATS_UNAVAILABLE', retryable: true });
      await expect(reading).rejects.toThrow(server.url);
      await expect(open('patience', { patienceMs: 300 })).rejects.toMatchObject({ code: 'NATS_UNAVAILABLE' });
      await server.start();
      await stores.close();
    });
  });

  describe('two clients', () => {
    it('state - racing with compare-and-set lose no increment', async () => {
      await using clients = await two('race');
      await clients.all[0].state.create('counter', encodeJson(0));
      const perWriter = 40;
      let lost = 0;
      const countUp = async ({ state }: NatsStores) => {
        for (let done = 0; done < perWriter;) {
          const entry = (await state.get('counter'))!;
          try {
            await state.update('counter', encodeJson(decodeJson<number>(entry.value) + 1), entry.revision);
            done++;
          } catch (error) {
            if (!(error instanceof RevisionMismatchError)) throw error;
            lost++;
          }
        }
      };
      await Promise.all(clients.all.map(countUp));
      expect(decodeJson((await clients.all[1].state.get('counter'))!.value)).toBe(2 * perWriter);
      expect(lost).toBeGreaterThan(0);
    });

    it('state - what one writes, the other one sees at once in get, list and watch', async () => {
      await using clients = await two('see');
      const [writer, reader] = clients.all;
      const revision = await writer.state.create('runs/a.b', bytesOf('1'));
      expect((await reader.state.get('runs/a.b'))!.revision).toBe(revision);
      // A key whose name differs only in what separates.
      await writer.state.create('runs/a/b', bytesOf('2'));
      const listed = (await collect(reader.state.list('runs/a'))).map((entry) => `${entry.key} ${textOf(entry.value)}`);
      expect(listed).toEqual(['runs/a.b 1', 'runs/a/b 2']);
    });

    it('blobs - both write the same large bytes while one deletes: never seen in part', async () => {
      await using clients = await two('same');
      const bytes = randomBytes(1_500_000);
      const sha256 = sha256Hex(bytes);
      for (let round = 0; round < 5; round++) {
        await Promise.all([...clients.all.map(({ blobs }) => blobs.put(bytes)), clients.all[0].blobs.delete(sha256)]);
        const outcome = await clients.all[1].blobs.get(sha256).then(
          (read) => Buffer.compare(read, bytes) === 0,
          (error: { code: string }) => error.code,
        );
        expect([true, 'BLOB_NOT_FOUND']).toContain(outcome);
      }
    });

    it('queue - a job of a client that died is given to the other one', async () => {
      await using fixture = await natsFixture(server, { ackWaitMs: 1_000 });
      const { queue } = fixture.stores;
      const ids = ['1', '2', '3', '4'];
      for (const id of ids) await queue.publish({ kind: 'work', id });
      // The child acknowledges the even ones and keeps the odd ones in hand.
      await using child = startCrashChild('consume', fixture.childArguments);
      expect((await killAfterLines(child, 2)).sort()).toEqual(['2', '4']);
      const stop = new AbortController();
      const again: string[] = [];
      for await (const delivery of queue.consume({ kinds: ['work'], concurrency: 1, signal: stop.signal })) {
        expect(delivery.attempt).toBe(2);
        again.push(delivery.message.id);
        await delivery.ack();
        if (again.length === 2) stop.abort();
      }
      expect(again.sort()).toEqual(['1', '3']);
      expect(await queue.waiting('work')).toBe(0);
    });

    async function two(namespace: string) {
      const all = [await open(namespace), await open(namespace)] as const;
      return { all, [Symbol.asyncDispose]: async () => void (await Promise.all(all.map((each) => each.close()))) };
    }
  });

  describe('inside the stores', () => {
    it('blobs - parts that a killed writer left are taken away, those of blobs that are there stay', async () => {
      await using inside = await openInside('sweepblobs');
      const bytes = randomBytes(1_000_000);
      const { sha256 } = await inside.blobs.put(bytes);
      const orphan = `sweepblobs.blobs.chunk.${'a'.repeat(64)}.upload.0`;
      await inside.link.publish('store a part', orphan, randomBytes(10));
      await inside.blobs.sweep(60_000);
      expect((await inside.link.counts('sweepblobs-blobs', orphan)).size).toBe(1);
      await inside.blobs.sweep(-60_000);
      expect((await inside.link.counts('sweepblobs-blobs', orphan)).size).toBe(0);
      expect(Buffer.compare(await inside.blobs.get(sha256), bytes)).toBe(0);
    });

    it('blobs - one that is put again is as young as a new one, with all its parts', async () => {
      await using inside = await openInside('renewblobs');
      for (const size of [5, 300_000]) {
        const bytes = randomBytes(size);
        const { sha256 } = await inside.blobs.put(bytes);
        const before = Date.now() + 1;
        vi.spyOn(inside.link.clock, 'nowMs').mockReturnValueOnce(Date.now() + 2 * BLOB_TIME_GRAIN_MS);
        await waitFor('a later moment', () => Date.now() > before);
        await inside.blobs.put(bytes);
        expect(await inside.blobs.deleteOlder(sha256, before)).toBe(false);
        expect(Buffer.compare(await inside.blobs.get(sha256), bytes)).toBe(0);
      }
    });

    it('blobs - one that was deleted and put anew is read, though a replica still brings its old head', async () => {
      await using inside = await openInside('lagging');
      const bytes = randomBytes(300_000);
      const { sha256 } = await inside.blobs.put(bytes);
      const { direct } = inside.link.jsm;
      const read = direct.getMessage.bind(direct);
      const head = `lagging.blobs.head.${sha256}`;
      const oldHead = await read('lagging-blobs', { last_by_subj: head });
      await inside.blobs.delete(sha256);
      await inside.blobs.put(bytes);
      vi.spyOn(direct, 'getMessage').mockImplementation(async (stream, query) =>
        'last_by_subj' in query && query.last_by_subj === head ? oldHead : read(stream, query),
      );
      expect(Buffer.compare(await inside.blobs.get(sha256), bytes)).toBe(0);
    });

    it('state - what is left of deleted keys goes, a key made anew stays', async () => {
      await using inside = await openInside('sweepstate');
      const { state } = inside;
      for (const key of ['gone', 'anew']) await state.delete(key, await state.create(key, bytesOf('1')));
      await state.create('anew', bytesOf('2'));
      await state.sweep(60_000);
      expect((await inside.link.counts('KV_sweepstate', '$KV.sweepstate.>')).size).toBe(2);
      await state.sweep(-60_000);
      expect([...(await inside.link.counts('KV_sweepstate', '$KV.sweepstate.>')).keys()]).toEqual([
        '$KV.sweepstate.anew',
      ]);
      expect(textOf((await state.get('anew'))!.value)).toBe('2');
      expect(await state.create('gone', bytesOf('3'))).toBeGreaterThan(1);
    });

    it('watch - goes on where the server lost its newest messages, with those that have their numbers now', async () => {
      await using inside = await openInside('rewound');
      const { state, link } = inside;
      const stop = new AbortController();
      const seen: string[] = [];
      const watching = (async () => {
        for await (const change of state.watch('', stop.signal))
          if (change.type === 'put') seen.push(textOf(change.entry.value));
      })();
      for (const key of ['1', '2', '3', '4', '5']) await state.create(key, bytesOf(key));
      await waitFor('what was made before', () => seen.length === 5);
      // The stream's numbers begin anew, as they do further up after a power cut.
      await link.jsm.streams.delete('KV_rewound');
      const again = await inside.openState();
      await again.create('a', bytesOf('before the watch is back'));
      await link.nc.reconnect();
      await waitFor('the first', () => seen.length > 5, OUTAGE_WAIT_MS);
      await again.create('b', bytesOf('after'));
      await waitFor('the second', () => seen.length > 6, OUTAGE_WAIT_MS);
      stop.abort();
      await watching;
      expect(seen).toEqual(['1', '2', '3', '4', '5', 'before the watch is back', 'after']);
    });

    it('repeats - a write that was made although its answer was lost counts once', async () => {
      await using inside = await openInside('repeats');
      const { state, link } = inside;
      loseAnswer(link);
      const first = await state.create('a', bytesOf('1'));
      loseAnswer(link);
      const second = await state.update('a', bytesOf('2'), first);
      expect(await state.get('a')).toEqual({ key: 'a', value: bytesOf('2'), revision: second });
      loseAnswer(link);
      await state.delete('a', second);
      expect(await state.get('a')).toBeUndefined();
    });

    it('repeats - a write that was not made, and that another writer came before, is refused', async () => {
      await using inside = await openInside('overtaken');
      const { state, link } = inside;
      const first = await state.create('a', bytesOf('1'));
      vi.spyOn(link.js, 'publish').mockImplementationOnce(async () => {
        await state.update('a', bytesOf('other'), first);
        throw new errors.TimeoutError();
      });
      await expect(state.update('a', bytesOf('mine'), first)).rejects.toThrow(RevisionMismatchError);
      expect(textOf((await state.get('a'))!.value)).toBe('other');
    });

    // What a cluster says while a proposal waits for its quorum, while too much is written, and while a server stops.
    it.each([
      [409, 10158, 'duplicate message id is in process'],
      [429, 10167, 'too many requests'],
      [503, 10077, 'store is closed'],
    ])('repeats - %i %i "%s" passes: the write is made, and once', async (code, err_code, description) => {
      await using inside = await openInside(`passing${err_code}`);
      const { state, link } = inside;
      loseAnswer(link);
      const publishing = vi
        .spyOn(link.js, 'publish')
        .mockRejectedValueOnce(new JetStreamApiError({ code, err_code, description }));
      const first = await state.create('a', bytesOf('1'));
      expect(publishing).toHaveBeenCalledTimes(3);
      expect(await state.get('a')).toEqual({ key: 'a', value: bytesOf('1'), revision: first });
      expect(await link.lastSequence(`KV_passing${err_code}`)).toBe(first);
    });

    it('repeats - a stream that is full does not pass: the write is refused at once', async () => {
      await using inside = await openInside('fullstream');
      const full = { code: 503, err_code: 10077, description: 'maximum bytes exceeded' };
      const publishing = vi.spyOn(inside.link.js, 'publish').mockRejectedValueOnce(new JetStreamApiError(full));
      await expect(inside.state.create('a', bytesOf('1'))).rejects.toMatchObject({ code: 'STORE_FULL' });
      expect(publishing).toHaveBeenCalledTimes(1);
    });

    it.each([
      [503, 'no responders'],
      [429, 'too many requests'],
      [500, 'store is closed'],
    ])('answers - a batch that meets %i "%s" is read again', async (code, message) => {
      await using inside = await openInside(`batch${code}`);
      const { keys, answers } = await inside.bucketWith(3);
      const reading = readsOnce(inside.link, 0, new JetStreamStatusError(message, code));
      expect(textsOf(await answers.getMany(keys))).toEqual(['0', '1', '2']);
      expect(reading).toHaveBeenCalledTimes(2);
    });

    it('answers - one that the server can not read within a batch hides none of the others', async () => {
      await using inside = await openInside('unreadable');
      const { keys, answers } = await inside.bucketWith(3);
      readsOnce(inside.link, 1, new JetStreamStatusError('message not found', 404));
      const absent = randomBytes(32);
      expect(textsOf(await answers.getMany([absent, ...keys]))).toEqual([undefined, '0', '1', '2']);
    });

    it('answers - more bytes than one batch takes are all read', async () => {
      await using inside = await openInside('cutoff');
      const { keys, answers } = await inside.bucketWith(12, 900_000);
      const reading = vi.spyOn(inside.link.jsm.direct, 'getLastMessagesFor');
      const found = await answers.getMany([randomBytes(32), ...keys]);
      expect(found.map((each) => each?.value.length)).toEqual([undefined, ...keys.map(() => 900_000)]);
      expect(reading.mock.calls.length).toBeGreaterThan(1);
    });

    it('answers - reading them leaves no subscription behind', async () => {
      await using inside = await openInside('subscriptions');
      const { keys, answers } = await inside.bucketWith(3);
      const subscribing = vi.spyOn(inside.link.nc, 'subscribe');
      await answers.getMany(keys);
      await answers.getMany([randomBytes(32)]);
      expect(subscribing.mock.results.length).toBeGreaterThan(1);
      const isLeft = () => subscribing.mock.results.some(({ value }) => !(value as Subscription).isClosed());
      await waitFor('the subscriptions to end', () => !isLeft(), 1_000);
    });

    /** The next batch brings some of its answers and then fails. */
    function readsOnce({ jsm }: NatsLink, count: number, thrown: Error) {
      const read = jsm.direct.getLastMessagesFor.bind(jsm.direct);
      return vi.spyOn(jsm.direct, 'getLastMessagesFor').mockImplementationOnce((stream, options) => {
        let left = count;
        const callback: typeof options.callback = (done, message) => {
          if (done) options.callback!({ err: thrown }, message);
          else if (left-- > 0) options.callback!(null, message);
        };
        return read(stream, { ...options, callback });
      });
    }

    const textsOf = (values: readonly (BucketValue | undefined)[]) =>
      values.map((found) => found && textOf(found.value));

    /** The next publish is carried out, and its answer takes too long. */
    function loseAnswer({ js }: NatsLink): void {
      const publish = js.publish.bind(js);
      vi.spyOn(js, 'publish').mockImplementationOnce(async (...message) => {
        await publish(...message);
        throw new errors.TimeoutError();
      });
    }

    async function openInside(namespace: string) {
      const link = await NatsLink.open({
        servers: [server.url],
        clock: systemClock,
        logger: silentLogger,
        patienceMs: 10_000,
      });
      const limits = { replicas: 1, maxBytes: -1, duplicateWindowMs: 60_000 };
      const openState = () => NatsStateStore.open(link, new LoopAges(systemClock), namespace, limits);
      return {
        link,
        blobs: await NatsBlobStore.open(link, namespace, limits),
        state: await openState(),
        openState,
        /** Answers `0` … under as many keys. */
        async bucketWith(count: number, valueBytes = 1) {
          const answers = await NatsByteBucket.open(link, namespace, 'answers', limits);
          const keys = Array.from({ length: count }, () => randomBytes(32));
          await answers.putMany(keys.map((key, n) => ({ key, value: bytesOf(String(n).padEnd(valueBytes)) })));
          return { answers, keys };
        },
        [Symbol.asyncDispose]: () => link.close(),
      };
    }
  });

  describe('sizes', () => {
    it.each([64 * 1024, 128 * 1024 + 1, 20 * 1024 * 1024])('blobs - %i bytes make the round trip', async (size) => {
      await using fixture = await natsFixture(server);
      const bytes = randomBytes(size);
      const { sha256 } = await fixture.stores.blobs.put(bytes);
      expect(Buffer.compare(await fixture.stores.blobs.get(sha256), bytes)).toBe(0);
      await fixture.stores.blobs.delete(sha256);
      await expect(fixture.stores.blobs.get(sha256)).rejects.toMatchObject({ code: 'BLOB_NOT_FOUND' });
    });

    it('state - a prefix of 5000 keys among others is listed whole and in order', async () => {
      await using fixture = await natsFixture(server);
      const { state } = fixture.stores;
      const keys = Array.from({ length: 5_000 }, (_, i) => `many/${String(i).padStart(5, '0')}`);
      await Promise.all([...keys, 'manyfold', 'other/1'].map((key) => state.create(key, bytesOf(key))));
      expect((await collect(state.list('many/'))).map((entry) => entry.key)).toEqual(keys);
    });

    it('state - a record too large for a message is refused with the limit', async () => {
      await using fixture = await natsFixture(server);
      const tooLarge = fixture.stores.state.create('large', new Uint8Array(1_100_000));
      await expect(tooLarge).rejects.toMatchObject({ kind: 'invalid-argument' });
      await expect(tooLarge).rejects.toThrow('blob store');
    });

    it('limits - a stream at its declared size refuses writes as full and keeps what it has', async () => {
      const stores = await open('small', { maxBytes: { blobs: 1_000_000 } });
      const kept = await stores.blobs.put(randomBytes(600_000));
      await expect(stores.blobs.put(randomBytes(600_000))).rejects.toMatchObject({ code: 'STORE_FULL' });
      expect((await stores.blobs.get(kept.sha256)).length).toBe(600_000);
      await stores.close();
      const enlarged = await open('small', { maxBytes: { blobs: 2_000_000 } });
      await enlarged.blobs.put(randomBytes(600_000));
      await enlarged.close();
    });
  });

  it.each([
    [{ servers: [] }, /no NATS server/],
    [{ replicas: 2 }, /2 replicas/],
    [{ namespace: 'a.b' }, /"a.b" is no namespace/],
    [{ replicas: 3 }, /can't keep 3 replicas/],
  ] as const)('options - %j are refused', async (wrong, message) => {
    await expect(open('options', wrong)).rejects.toThrow(message);
    await expect(open('options', wrong)).rejects.toMatchObject({ code: 'CONFIG' });
  });
});
