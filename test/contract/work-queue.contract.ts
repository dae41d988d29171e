import { describe, expect, it } from 'vitest';
import type { Delivery, WorkQueue } from '@bbdistill/common';
import { waitFor } from '../helpers/wait-for.js';
import { killAfterLines, startCrashChild } from './fixture.js';
import type { OpenFixture } from './fixture.js';

/** Long enough for a slow machine between two lines of a test, short enough to be waited for. */
const SHORT_ACK_WAIT_MS = 400;

/** What every WorkQueue promises. */
export function workQueueContract(implementation: string, open: OpenFixture): void {
  describe(`work queue (${implementation})`, () => {
    it('queue - messages of the chosen kinds are delivered once, in order, and are gone when acknowledged', async () => {
      await using fixture = await open();
      const { queue } = fixture.stores;
      for (const id of ['1', '2', '3']) await queue.publish({ kind: 'train', id });
      await queue.publish({ kind: 'other', id: 'x' });
      await using consumer = consume(queue, ['train'], 1);
      for (const id of ['1', '2', '3']) {
        const delivery = await consumer.next();
        expect([delivery.message, delivery.attempt]).toEqual([{ kind: 'train', id }, 1]);
        await delivery.ack();
      }
      expect(await queue.waiting('train')).toBe(0);
      expect(await queue.waiting('other')).toBe(1);
      await consumer.stop();
      const { queue: again } = await fixture.reopen();
      expect(await again.waiting('train')).toBe(0);
      expect(await again.waiting('other')).toBe(1);
    });

    it('queue - a waiting consumer is given a new message', async () => {
      await using fixture = await open();
      await using consumer = consume(fixture.stores.queue, ['a', 'b'], 2);
      const first = consumer.next();
      await fixture.stores.queue.publish({ kind: 'b', id: '1' });
      expect((await first).message).toEqual({ kind: 'b', id: '1' });
    });

    it('queue - a message keeps the trace that it was published with, through a restart and a second delivery', async () => {
      await using fixture = await open();
      const trace = { traceparent: `00-${'a'.repeat(32)}-${'b'.repeat(16)}-01` };
      await fixture.stores.queue.publish({ kind: 'a', id: '1', trace });
      const { queue } = await fixture.reopen();
      await using consumer = consume(queue, ['a'], 1);
      const first = await consumer.next();
      expect(first.message).toEqual({ kind: 'a', id: '1', trace });
      await first.nak(0);
      const second = await consumer.next();
      expect(second.message.trace).toEqual(trace);
      await second.ack();
    });

    it('queue - the same message published twice is two deliveries', async () => {
      await using fixture = await open();
      const { queue } = fixture.stores;
      await queue.publish({ kind: 'a', id: '1' });
      await queue.publish({ kind: 'a', id: '1' });
      expect(await queue.waiting('a')).toBe(2);
      await using consumer = consume(queue, ['a'], 2);
      for (let i = 0; i < 2; i++) await (await consumer.next()).ack();
      expect(await queue.waiting('a')).toBe(0);
    });

    it('queue - what is in hand counts as unacknowledged until it is', async () => {
      await using fixture = await open();
      const { queue } = fixture.stores;
      await queue.publish({ kind: 'a', id: '1' });
      await queue.publish({ kind: 'a', id: '2' });
      await queue.publish({ kind: 'b', id: '3' });
      await using consumer = consume(queue, ['a'], 1);
      const first = await consumer.next();
      expect([await queue.unacknowledged('a'), await queue.unacknowledged('b')]).toEqual([2, 1]);
      await first.ack();
      expect([await queue.unacknowledged('a'), await queue.unacknowledged('c')]).toEqual([1, 0]);
    });

    it('queue - a consumer holds no more than its concurrency', async () => {
      await using fixture = await open();
      const { queue } = fixture.stores;
      for (let i = 0; i < 5; i++) await queue.publish({ kind: 'a', id: `${i}` });
      await using consumer = consume(queue, ['a'], 2);
      const first = await consumer.next();
      await consumer.next();
      let third: Delivery | undefined;
      const next = consumer.next().then((delivery) => (third = delivery));
      expect(await queue.waiting('a')).toBe(3);
      expect(third).toBeUndefined();
      await first.ack();
      expect((await next).message.id).toBe('2');
    });

    it('queue - two consumers share the messages', async () => {
      await using fixture = await open();
      const { queue } = fixture.stores;
      const ids = Array.from({ length: 40 }, (_, i) => `${i}`);
      await Promise.all(ids.map((id) => queue.publish({ kind: 'a', id })));
      const seen: string[] = [];
      const stop = new AbortController();
      const work = async () => {
        for await (const delivery of queue.consume({ kinds: ['a'], concurrency: 1, signal: stop.signal })) {
          seen.push(delivery.message.id);
          await delivery.ack();
        }
      };
      const working = Promise.all([work(), work()]);
      await waitFor('all messages', () => seen.length >= ids.length);
      stop.abort();
      await working;
      expect(seen.sort()).toEqual(ids.sort());
    });

    it('queue - nak delivers again with the next attempt, after its delay', async () => {
      await using fixture = await open();
      const { queue } = fixture.stores;
      await queue.publish({ kind: 'a', id: '1' });
      await using consumer = consume(queue, ['a'], 1);
      await (await consumer.next()).nak(0);
      const second = await consumer.next();
      expect(second.attempt).toBe(2);
      const delayMs = 150;
      const nakAt = performance.now();
      await second.nak(delayMs);
      expect(await queue.waiting('a')).toBe(1);
      expect((await consumer.next()).attempt).toBe(3);
      expect(performance.now() - nakAt).toBeGreaterThanOrEqual(delayMs - 5);
    });

    it('queue - a delayed message does not hold up the others', async () => {
      await using fixture = await open();
      const { queue } = fixture.stores;
      await queue.publish({ kind: 'a', id: 'late' });
      await queue.publish({ kind: 'a', id: 'now' });
      await using consumer = consume(queue, ['a'], 1);
      await (await consumer.next()).nak(60_000);
      expect((await consumer.next()).message.id).toBe('now');
    });

    it('queue - what is neither acknowledged nor kept alive is delivered again', async () => {
      await using fixture = await open({ ackWaitMs: SHORT_ACK_WAIT_MS });
      const { queue } = fixture.stores;
      await queue.publish({ kind: 'a', id: '1' });
      await using frozen = consume(queue, ['a'], 1);
      const stale = await frozen.next();
      await using other = consume(queue, ['a'], 1);
      const again = await other.next();
      expect([again.message.id, again.attempt]).toEqual(['1', 2]);
      // The frozen one wakes up: it can't give away what isn't its own any more.
      await stale.nak(0);
      expect(await queue.waiting('a')).toBe(0);
      await again.ack();
      expect(await queue.waiting('a')).toBe(0);
    });

    it('queue - working keeps a message in hand', async () => {
      await using fixture = await open({ ackWaitMs: SHORT_ACK_WAIT_MS });
      const { queue } = fixture.stores;
      await queue.publish({ kind: 'a', id: '1' });
      await using consumer = consume(queue, ['a'], 1);
      const delivery = await consumer.next();
      await using other = consume(queue, ['a'], 1);
      let taken = false;
      other.next().then(
        () => (taken = true),
        () => undefined,
      );
      const until = performance.now() + 3 * SHORT_ACK_WAIT_MS;
      await waitFor('three ack waits', async () => {
        await delivery.working();
        return performance.now() > until;
      });
      expect(taken).toBe(false);
      await delivery.ack();
      expect(await queue.waiting('a')).toBe(0);
    });

    it('queue - what was in hand or waiting is there after opening again', async () => {
      await using fixture = await open({ ackWaitMs: SHORT_ACK_WAIT_MS });
      const { queue } = fixture.stores;
      await queue.publish({ kind: 'a', id: 'held' });
      await queue.publish({ kind: 'a', id: 'waiting' });
      {
        await using consumer = consume(queue, ['a'], 1);
        await consumer.next();
      }
      const { queue: again } = await fixture.reopen();
      await using consumer = consume(again, ['a'], 2);
      const both = [await consumer.next(), await consumer.next()];
      expect(both.map((delivery) => delivery.message.id).sort()).toEqual(['held', 'waiting']);
      expect(both.find((delivery) => delivery.message.id === 'held')!.attempt).toBe(2);
    });

    it('queue - consume ends with its signal, and what it had in hand can still be acknowledged', async () => {
      await using fixture = await open();
      const { queue } = fixture.stores;
      await queue.publish({ kind: 'a', id: '1' });
      const consumer = consume(queue, ['a'], 2);
      const delivery = await consumer.next();
      const pending = consumer.next();
      pending.catch(() => undefined);
      await consumer.stop();
      await expect(pending).rejects.toThrow('the queue ended');
      await delivery.ack();
      expect(await queue.waiting('a')).toBe(0);
      const { queue: again } = await fixture.reopen();
      expect(await again.waiting('a')).toBe(0);
    });

    it.each([
      { kind: '', id: '1' },
      { kind: 'a', id: '' },
      { kind: 'a', id: 'x'.repeat(257) },
    ])('queue - the message $kind/$id is refused', async (message) => {
      await using fixture = await open();
      await expect(fixture.stores.queue.publish(message)).rejects.toMatchObject({ kind: 'invalid-argument' });
    });

    it.each([1, 200])('queue - killed after %i messages were published: none is lost', async (n) => {
      await using fixture = await open();
      await fixture.close();
      await using child = startCrashChild('publish', fixture.childArguments);
      const acknowledged = await killAfterLines(child, n);
      const { queue } = await fixture.reopen();
      const waiting = await queue.waiting('work');
      expect(waiting).toBeGreaterThanOrEqual(acknowledged.length);
      await using consumer = consume(queue, ['work'], waiting);
      const found = new Set<string>();
      for (let i = 0; i < waiting; i++) found.add((await consumer.next()).message.id);
      for (const id of acknowledged) expect(found.has(id)).toBe(true);
    });

    it('queue - killed while working: what was acknowledged stays away, the rest comes again', async () => {
      await using fixture = await open({ ackWaitMs: SHORT_ACK_WAIT_MS });
      const ids = Array.from({ length: 40 }, (_, i) => String(i));
      for (const id of ids) await fixture.stores.queue.publish({ kind: 'work', id });
      await fixture.close();
      await using child = startCrashChild('consume', fixture.childArguments);
      const acknowledged = await killAfterLines(child, 3);
      const { queue } = await fixture.reopen();
      await using consumer = consume(queue, ['work'], ids.length);
      // The child acknowledges every second one: the kill may have come between the next of them and its line.
      const undecided = String(2 * acknowledged.length);
      const expected = new Set(ids.filter((id) => !acknowledged.includes(id) && id !== undecided));
      const again = new Set<string>();
      while ([...expected].some((id) => !again.has(id))) again.add((await consumer.next()).message.id);
      again.delete(undecided);
      expect([...again].sort()).toEqual([...expected].sort());
    });
  });
}

/** One consumer whose deliveries are taken one by one. */
function consume(queue: WorkQueue, kinds: string[], concurrency: number) {
  const stop = new AbortController();
  const deliveries = queue.consume({ kinds, concurrency, signal: stop.signal })[Symbol.asyncIterator]();
  const end = async () => {
    stop.abort();
    await deliveries.return?.();
  };
  return {
    async next(): Promise<Delivery> {
      const next = await deliveries.next();
      if (next.done) throw new Error('the queue ended');
      return next.value;
    },
    stop: end,
    [Symbol.asyncDispose]: end,
  };
}
