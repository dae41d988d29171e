import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { BlobNotFoundError, sha256Hex } from '@bbdistill/common';
import { bytesOf, collect, killAfterLines, startCrashChild } from './fixture.js';
import type { OpenFixture } from './fixture.js';

/** What every BlobStore promises. */
export function blobStoreContract(implementation: string, open: OpenFixture): void {
  describe(`blob store (${implementation})`, () => {
    it('blobs - what was put comes back, named by its hash', async () => {
      await using fixture = await open();
      const { blobs } = fixture.stores;
      const bytes = bytesOf('hello');
      const ref = await blobs.put(bytes);
      expect(ref).toEqual({ sha256: sha256Hex(bytes), sizeBytes: 5 });
      expect(await blobs.get(ref.sha256)).toEqual(bytes);
      expect(await blobs.has(ref.sha256)).toBe(true);
    });

    it.each([0, 1, 1024 * 1024 + 1, 8 * 1024 * 1024])('blobs - %i bytes make the round trip', async (size) => {
      await using fixture = await open();
      const bytes = randomBytes(size);
      const { sha256 } = await fixture.stores.blobs.put(bytes);
      expect(Buffer.compare(await fixture.stores.blobs.get(sha256), bytes)).toBe(0);
    });

    it('blobs - a view into a larger buffer stores only the view', async () => {
      await using fixture = await open();
      const view = new Uint8Array(bytesOf('xxhelloxx').buffer, 2, 5);
      const { sha256 } = await fixture.stores.blobs.put(view);
      expect(await fixture.stores.blobs.get(sha256)).toEqual(bytesOf('hello'));
    });

    it('blobs - the same bytes put many times at once are one blob', async () => {
      await using fixture = await open();
      const refs = await Promise.all(Array.from({ length: 20 }, () => fixture.stores.blobs.put(bytesOf('same'))));
      expect(new Set(refs.map((ref) => ref.sha256)).size).toBe(1);
      expect(await collect(fixture.stores.blobs.list())).toEqual([refs[0]!.sha256]);
    });

    it('blobs - what was put before a time can be deleted, what was put later cannot', async () => {
      await using fixture = await open();
      const { blobs } = fixture.stores;
      for (const size of [5, 300_000]) {
        const bytes = randomBytes(size);
        const { sha256 } = await blobs.put(bytes);
        const [aged] = (await collect(blobs.listAged())).filter((each) => each.sha256 === sha256);
        expect(Math.abs(aged!.putAtMs - Date.now())).toBeLessThan(60_000);
        expect(await blobs.deleteOlder(sha256, aged!.putAtMs)).toBe(false);
        expect(Buffer.compare(await blobs.get(sha256), bytes)).toBe(0);
        expect(await blobs.deleteOlder(sha256, aged!.putAtMs + 1)).toBe(true);
        expect(await blobs.has(sha256)).toBe(false);
        expect(await blobs.deleteOlder(sha256, aged!.putAtMs + 1)).toBe(true);
        await blobs.put(bytes);
        expect(Buffer.compare(await blobs.get(sha256), bytes)).toBe(0);
      }
    });

    it('blobs - what is not there is said to be not there', async () => {
      await using fixture = await open();
      const missing = sha256Hex('missing');
      await expect(fixture.stores.blobs.get(missing)).rejects.toThrow(BlobNotFoundError);
      await expect(fixture.stores.blobs.get(missing)).rejects.toThrow(missing);
      expect(await fixture.stores.blobs.has(missing)).toBe(false);
    });

    it.each(['', 'abc', '../../../etc/passwd', 'A'.repeat(64), 'g'.repeat(64)])(
      'blobs - "%s" is refused as a name',
      async (name) => {
        await using fixture = await open();
        for (const call of ['get', 'has', 'delete'] as const) {
          await expect(fixture.stores.blobs[call](name)).rejects.toMatchObject({ kind: 'invalid-argument' });
        }
      },
    );

    it('blobs - deleting forgets, and deleting what is not there is no error', async () => {
      await using fixture = await open();
      const { blobs } = fixture.stores;
      const { sha256 } = await blobs.put(bytesOf('short-lived'));
      await blobs.delete(sha256);
      await blobs.delete(sha256);
      expect(await blobs.has(sha256)).toBe(false);
      expect(await collect(blobs.list())).toEqual([]);
      await blobs.put(bytesOf('short-lived'));
      expect(await blobs.get(sha256)).toEqual(bytesOf('short-lived'));
    });

    it('blobs - list has all of them, also after opening again', async () => {
      await using fixture = await open();
      const refs = await Promise.all(Array.from({ length: 40 }, (_, i) => fixture.stores.blobs.put(bytesOf(`b${i}`))));
      const { blobs } = await fixture.reopen();
      expect((await collect(blobs.list())).sort()).toEqual(refs.map((ref) => ref.sha256).sort());
    });

    it.each([1, 20, 150])(
      'blobs - killed after %i writes: nothing is torn, nothing acknowledged is lost',
      async (n) => {
        await using fixture = await open();
        await fixture.close();
        await using child = startCrashChild('blobs', fixture.childArguments);
        const acknowledged = await killAfterLines(child, n);
        const { blobs } = await fixture.reopen();
        const present = await collect(blobs.list());
        expect(present).toEqual(expect.arrayContaining(acknowledged));
        for (const sha256 of present) expect(sha256Hex(await blobs.get(sha256))).toBe(sha256);
      },
    );
  });
}
