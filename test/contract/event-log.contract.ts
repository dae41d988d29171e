import { describe, expect, it } from 'vitest';
import { SequenceMismatchError, decodeJson } from '@bbdistill/common';
import type { LoggedEvent } from '@bbdistill/common';
import { waitFor } from '../helpers/wait-for.js';
import { bytesOf, collect, killAfterLines, startCrashChild, textOf } from './fixture.js';
import type { OpenFixture } from './fixture.js';

const RUN = 'runs/a';

/** What every EventLog promises. */
export function eventLogContract(implementation: string, open: OpenFixture): void {
  describe(`event log (${implementation})`, () => {
    it('events - are numbered from 1 and read back in order with their time', async () => {
      await using fixture = await open();
      const { events } = fixture.stores;
      expect(await events.lastSequence(RUN)).toBe(0);
      const before = Date.now();
      for (let i = 0; i < 3; i++) expect(await events.append(RUN, bytesOf(`e${i + 1}`), i)).toBe(i + 1);
      expect(await events.lastSequence(RUN)).toBe(3);
      const read = await collect(events.read(RUN));
      expect(read.map((event) => [event.sequence, textOf(event.value)])).toEqual([
        [1, 'e1'],
        [2, 'e2'],
        [3, 'e3'],
      ]);
      expect(read[0]!.atMs).toBeGreaterThanOrEqual(before - 1000);
      expect(read[2]!.atMs).toBeLessThanOrEqual(Date.now() + 1000);
    });

    it('events - reading resumes from any sequence', async () => {
      await using fixture = await open();
      const { events } = fixture.stores;
      for (let i = 0; i < 5; i++) await events.append(RUN, bytesOf(`e${i + 1}`), i);
      const sequences = async (fromSequence: number) =>
        (await collect(events.read(RUN, { fromSequence }))).map((event) => event.sequence);
      expect(await sequences(4)).toEqual([4, 5]);
      expect(await sequences(0)).toEqual([1, 2, 3, 4, 5]);
      expect(await sequences(6)).toEqual([]);
    });

    it('events - reading resumes in the middle of a long stream among others', async () => {
      await using fixture = await open();
      const { events } = fixture.stores;
      for (let i = 0; i < 20; i++) {
        await events.append(RUN, bytesOf(`e${i + 1}`), i);
        if (i % 3 === 0) await events.append('runs/other', bytesOf('x'), i / 3);
      }
      for (const fromSequence of [2, 7, 19, 20, 21]) {
        const read = await collect(events.read(RUN, { fromSequence }));
        expect(read.map(({ sequence }) => sequence)).toEqual(
          Array.from({ length: 21 - fromSequence }, (_, i) => fromSequence + i),
        );
      }
    });

    it('events - streams do not mix, even where one name begins with the other', async () => {
      await using fixture = await open();
      const { events } = fixture.stores;
      await events.append('runs/a', bytesOf('a'), 0);
      await events.append('runs/ab', bytesOf('ab'), 0);
      await events.append('runs/a/b', bytesOf('a/b'), 0);
      expect((await collect(events.read('runs/a'))).map((event) => textOf(event.value))).toEqual(['a']);
    });

    it('events - appending with another expectation is refused and appends nothing', async () => {
      await using fixture = await open();
      const { events } = fixture.stores;
      await events.append(RUN, bytesOf('1'), 0);
      for (const expected of [0, 2]) {
        const append = events.append(RUN, bytesOf('x'), expected);
        await expect(append).rejects.toThrow(SequenceMismatchError);
        await expect(append).rejects.toMatchObject({ expected, found: 1 });
      }
      expect(await events.lastSequence(RUN)).toBe(1);
    });

    it('events - of two racing writers one wins each place', async () => {
      await using fixture = await open();
      const { events } = fixture.stores;
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, (_, i) => events.append(RUN, bytesOf(`${i}`), 0)),
      );
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
      expect(await collect(events.read(RUN))).toHaveLength(1);
    });

    it('events - a follower gets old and new events without gap or repeat, and ends with its signal', async () => {
      await using fixture = await open();
      const { events } = fixture.stores;
      const total = 300;
      const stop = new AbortController();
      const followers = [1, 120].map(async (fromSequence) => {
        const seen: LoggedEvent[] = [];
        for await (const event of events.read(RUN, { fromSequence, follow: true, signal: stop.signal }))
          seen.push(event);
        return seen;
      });
      for (let i = 0; i < total; i++) {
        await events.append(RUN, bytesOf(`${i + 1}`), i);
      }
      const late: number[] = [];
      for await (const event of events.read(RUN, { follow: true, signal: stop.signal })) {
        late.push(event.sequence);
        if (event.sequence === total) break;
      }
      expect(late).toHaveLength(total);
      await new Promise((resolve) => setImmediate(resolve));
      stop.abort();
      const [all, tail] = await Promise.all(followers);
      expect(all!.map((event) => event.sequence)).toEqual(Array.from({ length: total }, (_, i) => i + 1));
      expect(tail!.map((event) => event.sequence)).toEqual(Array.from({ length: total - 119 }, (_, i) => i + 120));
    });

    it('events - a follower that waits is woken by the next event', async () => {
      await using fixture = await open();
      const { events } = fixture.stores;
      const stop = new AbortController();
      const seen: string[] = [];
      const following = (async () => {
        for await (const event of events.read(RUN, { follow: true, signal: stop.signal }))
          seen.push(textOf(event.value));
      })();
      await events.append(RUN, bytesOf('first'), 0);
      await waitFor('the first', () => seen.length === 1);
      await events.append(RUN, bytesOf('second'), 1);
      await waitFor('the second', () => seen.length === 2);
      stop.abort();
      await following;
      expect(seen).toEqual(['first', 'second']);
    });

    it('events - deleting a stream leaves the others and starts it anew', async () => {
      await using fixture = await open();
      const { events } = fixture.stores;
      await events.append(RUN, bytesOf('1'), 0);
      await events.append(RUN, bytesOf('2'), 1);
      await events.append('runs/b', bytesOf('other'), 0);
      await events.deleteStream(RUN);
      expect(await collect(events.read(RUN))).toEqual([]);
      expect(await events.lastSequence(RUN)).toBe(0);
      expect(await events.append(RUN, bytesOf('anew'), 0)).toBe(1);
      expect(await events.lastSequence('runs/b')).toBe(1);
    });

    it.each(['', ' and begun anew'])(
      'events - a reader ends when its stream is deleted%s meanwhile',
      async (anew) => {
        await using fixture = await open();
        const { events } = fixture.stores;
        // More than a server sends ahead.
        const [total, large] = [2_000, new Uint8Array(4_096)];
        for (let i = 0; i < total; i++) await events.append(RUN, large, i);
        const reading = events.read(RUN)[Symbol.asyncIterator]();
        const first = (await reading.next()) as IteratorYieldResult<LoggedEvent>;
        await events.deleteStream(RUN);
        if (anew) await events.append(RUN, bytesOf('of the next life'), 0);
        const read = [first.value.sequence];
        for (let next = await reading.next(); !next.done; next = await reading.next()) read.push(next.value.sequence);
        expect(read).toEqual(Array.from({ length: read.length }, (_, i) => i + 1));
        expect(read.length).toBeLessThan(total);
      },
      30_000,
    );

    it('events - stay after opening again', async () => {
      await using fixture = await open();
      for (let i = 0; i < 3; i++) await fixture.stores.events.append(RUN, bytesOf(`${i}`), i);
      const { events } = await fixture.reopen();
      expect(await events.append(RUN, bytesOf('3'), 3)).toBe(4);
      expect(await collect(events.read(RUN))).toHaveLength(4);
    });

    it.each([1, 60])('events - killed after %i appends: no gap, nothing acknowledged is lost', async (n) => {
      await using fixture = await open();
      await fixture.close();
      await using child = startCrashChild('events', fixture.childArguments);
      const acknowledged = (await killAfterLines(child, n)).map(Number);
      const { events } = await fixture.reopen();
      const read = await collect(events.read(RUN));
      expect(read.length).toBeGreaterThanOrEqual(acknowledged.at(-1)!);
      for (const [i, event] of read.entries()) {
        expect(event.sequence).toBe(i + 1);
        expect(decodeJson(event.value)).toEqual({ event: i + 1 });
      }
    });
  });
}
