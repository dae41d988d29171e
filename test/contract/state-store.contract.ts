import { describe, expect, it } from 'vitest';
import { KeyExistsError, RevisionMismatchError, decodeJson, encodeJson } from '@bbdistill/common';
import type { StateChange, StateStore } from '@bbdistill/common';
import { waitFor } from '../helpers/wait-for.js';
import { bytesOf, collect, killAfterLines, startCrashChild, textOf } from './fixture.js';
import type { OpenFixture } from './fixture.js';

/** What every StateStore promises. */
export function stateStoreContract(implementation: string, open: OpenFixture): void {
  describe(`state store (${implementation})`, () => {
    it('state - a record goes through create, update and delete', async () => {
      await using fixture = await open();
      const { state } = fixture.stores;
      expect(await state.get('runs/a')).toBeUndefined();
      const first = await state.create('runs/a', bytesOf('one'));
      expect(first).toBeGreaterThanOrEqual(1);
      expect(await state.get('runs/a')).toEqual({ key: 'runs/a', value: bytesOf('one'), revision: first });
      const second = await state.update('runs/a', bytesOf('two'), first);
      expect(second).toBeGreaterThan(first);
      expect(await state.get('runs/a')).toEqual({ key: 'runs/a', value: bytesOf('two'), revision: second });
      await state.delete('runs/a', second);
      expect(await state.get('runs/a')).toBeUndefined();
    });

    it('state - creating twice is refused, after a delete it works with a higher revision', async () => {
      await using fixture = await open();
      const { state } = fixture.stores;
      const first = await state.create('a', bytesOf('1'));
      await expect(state.create('a', bytesOf('2'))).rejects.toThrow(KeyExistsError);
      expect(textOf((await state.get('a'))!.value)).toBe('1');
      await state.delete('a', first);
      expect(await state.create('a', bytesOf('3'))).toBeGreaterThan(first);
    });

    it('state - an old revision changes nothing', async () => {
      await using fixture = await open();
      const { state } = fixture.stores;
      const first = await state.create('a', bytesOf('1'));
      const second = await state.update('a', bytesOf('2'), first);
      await expect(state.update('a', bytesOf('3'), first)).rejects.toMatchObject({
        code: 'REVISION_MISMATCH',
        expectedRevision: first,
        foundRevision: second,
      });
      await expect(state.delete('a', first)).rejects.toThrow(RevisionMismatchError);
      expect(textOf((await state.get('a'))!.value)).toBe('2');
    });

    it('state - changing what is not there is a mismatch', async () => {
      await using fixture = await open();
      const { state } = fixture.stores;
      await expect(state.update('a', bytesOf('1'), 1)).rejects.toThrow(RevisionMismatchError);
      await expect(state.delete('a', 1)).rejects.toThrow(RevisionMismatchError);
    });

    it('state - an empty value is a value', async () => {
      await using fixture = await open();
      await fixture.stores.state.create('empty', new Uint8Array());
      expect((await fixture.stores.state.get('empty'))!.value).toEqual(new Uint8Array());
    });

    it('state - the caller may use its buffer again after the call', async () => {
      await using fixture = await open();
      const { state } = fixture.stores;
      const buffer = bytesOf('before');
      const writing = state.create('a', buffer);
      buffer.fill(0);
      await writing;
      expect(textOf((await state.get('a'))!.value)).toBe('before');
    });

    it.each(['', '/a', 'a/', 'a//b', 'a b', 'a*', 'ä', 'a\u0000', 'x'.repeat(2000)])(
      'state - "%s" is refused as a key',
      async (key) => {
        await using fixture = await open();
        await expect(fixture.stores.state.create(key, bytesOf('1'))).rejects.toMatchObject({
          kind: 'invalid-argument',
        });
        await expect(fixture.stores.state.get(key)).rejects.toMatchObject({ kind: 'invalid-argument' });
      },
    );

    it('state - of many racing creators one wins', async () => {
      await using fixture = await open();
      const { state } = fixture.stores;
      const results = await Promise.allSettled(
        Array.from({ length: 50 }, (_, i) => state.create('lease', bytesOf(String(i)))),
      );
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1);
    });

    it('state - racing writers with compare-and-set lose no increment', async () => {
      await using fixture = await open();
      const { state } = fixture.stores;
      await state.create('counter', encodeJson(0));
      const perWriter = 25;
      let lost = 0;
      const writer = async () => {
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
      await Promise.all([writer(), writer(), writer(), writer()]);
      expect(decodeJson((await state.get('counter'))!.value)).toBe(4 * perWriter);
      expect(lost).toBeGreaterThan(0);
    });

    it('state - list gives the entries under a prefix, by key', async () => {
      await using fixture = await open();
      const { state } = fixture.stores;
      const keys = ['jobs/b', 'jobs/a', 'jobs', 'jobsx/a', 'runs/a', 'jobs/a-b', 'jobs/a/b'];
      for (const key of keys) await state.create(key, bytesOf(key));
      const listed = async (prefix: string) => (await collect(state.list(prefix))).map((entry) => entry.key);
      expect(await listed('jobs/')).toEqual(['jobs/a', 'jobs/a-b', 'jobs/a/b', 'jobs/b']);
      expect(await listed('jobs/a')).toEqual(['jobs/a', 'jobs/a-b', 'jobs/a/b']);
      expect((await listed('')).sort()).toEqual([...keys].sort());
      expect(await listed('none')).toEqual([]);
    });

    it('state - a list of many entries is whole', async () => {
      await using fixture = await open();
      const { state } = fixture.stores;
      const keys = Array.from({ length: 1501 }, (_, i) => `many/${String(i).padStart(5, '0')}`);
      await Promise.all(keys.map((key) => state.create(key, bytesOf(key))));
      expect((await collect(state.list('many/'))).map((entry) => entry.key)).toEqual(keys);
    });

    it('state - revisions go on growing after opening again', async () => {
      await using fixture = await open();
      const first = await fixture.stores.state.create('a', bytesOf('1'));
      await fixture.stores.state.delete('a', first);
      const { state } = await fixture.reopen();
      expect(await state.create('a', bytesOf('2'))).toBeGreaterThan(first);
    });

    it('state - watch gives what is there, then every change under the prefix in order', async () => {
      await using fixture = await open();
      const { state } = fixture.stores;
      const first = await state.create('jobs/a', bytesOf('1'));
      await state.create('runs/x', bytesOf('1'));
      const stop = new AbortController();
      const changes: StateChange[] = [];
      const watching = (async () => {
        for await (const change of state.watch('jobs/', stop.signal)) changes.push(change);
      })();
      await waitFor('the snapshot', () => changes.length === 1);
      const second = await state.update('jobs/a', bytesOf('2'), first);
      await state.create('runs/y', bytesOf('1'));
      await state.create('jobs/b', bytesOf('3'));
      await state.delete('jobs/a', second);
      await waitFor('the changes', () => changes.length >= 4);
      stop.abort();
      await watching;
      expect(
        changes.map((c) => (c.type === 'put' ? `put ${c.entry.key} ${textOf(c.entry.value)}` : `delete ${c.key}`)),
      ).toEqual(['put jobs/a 1', 'put jobs/a 2', 'put jobs/b 3', 'delete jobs/a']);
    });

    it('state - a watch that starts among racing writes misses none', async () => {
      await using fixture = await open();
      const { state } = fixture.stores;
      const stop = new AbortController();
      const keys = Array.from({ length: 30 }, (_, i) => `race/${i}`);
      const updates = 20;
      const writing = Promise.all(keys.map((key) => countUp(state, key, updates)));
      const watchers = Array.from({ length: 5 }, async (_, watcher) => {
        // Each starts at another moment of the writing.
        for (let turn = 0; turn < watcher * 3; turn++) await new Promise((resolve) => setImmediate(resolve));
        const seen = new Map<string, number[]>();
        for await (const change of state.watch('race/', stop.signal)) {
          if (change.type !== 'put') continue;
          const counts = seen.get(change.entry.key) ?? [];
          counts.push(decodeJson<number>(change.entry.value));
          seen.set(change.entry.key, counts);
          if ([...seen.values()].filter((each) => each.at(-1) === updates).length === keys.length) break;
        }
        return seen;
      });
      await writing;
      for (const seen of await Promise.all(watchers)) {
        for (const key of keys) {
          const counts = seen.get(key)!;
          // From wherever the snapshot had it, each count follows the one before.
          expect(counts).toEqual(Array.from({ length: counts.length }, (_, i) => counts[0]! + i));
        }
      }
    });

    it('state - a watch ends without an error when its signal aborts, also before anything was read', async () => {
      await using fixture = await open();
      expect(await collect(fixture.stores.state.watch('', AbortSignal.abort()))).toEqual([]);
      const stop = new AbortController();
      const watching = collect(fixture.stores.state.watch('', stop.signal));
      stop.abort();
      expect(await watching).toEqual([]);
    });

    it('state - the watch of one key gives its record, then every change of it alone', async () => {
      await using fixture = await open();
      const { state } = fixture.stores;
      const first = await state.create('jobs/a', bytesOf('1'));
      const stop = new AbortController();
      const told: string[] = [];
      const follow = async (key: string) => {
        for await (const change of state.watchKey(key, stop.signal)) {
          told.push(change.type === 'put' ? `put ${change.entry.key} ${textOf(change.entry.value)}` : `delete ${key}`);
        }
      };
      const watching = Promise.all([follow('jobs/a'), follow('jobs/later')]);
      await waitFor('the record', () => told.length === 1);
      const second = await state.update('jobs/a', bytesOf('2'), first);
      await state.create('jobs/ab', bytesOf('another'));
      await state.create('jobs/a/b', bytesOf('another'));
      await state.create('jobs/later', bytesOf('3'));
      await state.delete('jobs/a', second);
      await state.create('jobs/a', bytesOf('4'));
      await waitFor('the changes', () => told.length >= 5);
      stop.abort();
      await watching;
      const tellings = (key: string) => told.filter((line) => line.split(' ')[1] === key);
      expect(tellings('jobs/a')).toEqual(['put jobs/a 1', 'put jobs/a 2', 'delete jobs/a', 'put jobs/a 4']);
      expect(tellings('jobs/later')).toEqual(['put jobs/later 3']);
    });

    it('state - watches of one key that start among racing writes miss none', async () => {
      await using fixture = await open();
      const { state } = fixture.stores;
      const updates = 30;
      const writing = countUp(state, 'race/a', updates);
      const watchers = Array.from({ length: 8 }, async (_, watcher) => {
        for (let turn = 0; turn < watcher * 3; turn++) await new Promise((resolve) => setImmediate(resolve));
        const counts: number[] = [];
        for await (const change of state.watchKey('race/a', new AbortController().signal)) {
          if (change.type === 'put') counts.push(decodeJson<number>(change.entry.value));
          if (counts.at(-1) === updates) break;
        }
        return counts;
      });
      await writing;
      for (const counts of await Promise.all(watchers)) {
        expect(counts).toEqual(Array.from({ length: counts.length }, (_, i) => counts[0]! + i));
      }
    });

    it('state - the watch of one key ends without an error when its signal aborts', async () => {
      await using fixture = await open();
      const { state } = fixture.stores;
      expect(await collect(state.watchKey('jobs/a', AbortSignal.abort()))).toEqual([]);
      const stop = new AbortController();
      const watching = collect(state.watchKey('jobs/a', stop.signal));
      stop.abort();
      expect(await watching).toEqual([]);
    });

    it.each([1, 50, 400])('state - killed after %i writes: nothing acknowledged is lost or half written', async (n) => {
      await using fixture = await open();
      await fixture.close();
      await using child = startCrashChild('state', fixture.childArguments);
      const acknowledged = (await killAfterLines(child, n)).map((line) => line.split(' ').map(Number));
      const { state } = await fixture.reopen();
      let highest = 0;
      for (const [writer, count, revision] of acknowledged as [number, number, number][]) {
        const record = await state.get(`records/${writer}-${count}`);
        expect(record && decodeJson(record.value)).toEqual({ writer, count });
        const counter = (await state.get(`counters/${writer}`))!;
        expect(decodeJson<number>(counter.value)).toBeGreaterThanOrEqual(count);
        highest = Math.max(highest, revision, counter.revision);
      }
      expect(await state.create('after', bytesOf('crash'))).toBeGreaterThan(highest);
    });
  });
}

async function countUp(state: StateStore, key: string, updates: number): Promise<void> {
  let revision = await state.create(key, encodeJson(0));
  for (let count = 1; count <= updates; count++) revision = await state.update(key, encodeJson(count), revision);
}
