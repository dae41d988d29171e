import type * as realFs from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { temporaryFolder } from '../../../../../test/helpers/temporary-folder.js';
import { DirectoryBlobStore } from './directory-blob-store.js';

type Step = 'stat' | 'rm' | 'utimes';

const disk = vi.hoisted(() => ({ before: new Map<Step, () => Promise<unknown>>() }));
vi.mock('node:fs/promises', async (importOriginal) => {
  const fs = await importOriginal<typeof realFs>();
  /** The first one waits for what the test says. */
  const held = async (step: Step) => {
    const wait = disk.before.get(step);
    disk.before.delete(step);
    await wait?.();
  };
  return {
    ...fs,
    rm: async (...call: Parameters<typeof fs.rm>) => {
      await held('rm');
      return fs.rm(...call);
    },
    utimes: async (...call: Parameters<typeof fs.utimes>) => {
      await held('utimes');
      return fs.utimes(...call);
    },
    /** What is seen may be old by the time that it is told. */
    stat: async (path: string) => {
      const seen = await fs.stat(path).catch((error: unknown) => error as Error);
      await held('stat');
      if (seen instanceof Error) throw seen;
      return seen;
    },
  };
});

/** Longer than any step takes that doesn't wait for the held one. */
const LONG_MS = 300;
const bytes = new TextEncoder().encode('paid for');

describe('blobs in a folder, put while they are deleted for their age', () => {
  /** Lets `meanwhile` happen in the middle of a step, unless it waits for that step to end. */
  const inTheMiddleOf = (step: Step, meanwhile: () => Promise<unknown>): Promise<unknown> =>
    new Promise((resolve, reject) => {
      disk.before.set(step, async () => {
        const other = meanwhile();
        other.then(resolve, reject);
        await Promise.race([other.catch(() => undefined), delay(LONG_MS)]);
      });
    });

  it('put between the look at the age and the deletion - it is there', async () => {
    await using folder = await temporaryFolder();
    const store = await DirectoryBlobStore.open(folder.path);
    const { sha256 } = await store.put(bytes);
    const put = inTheMiddleOf('rm', () => store.put(bytes));
    await store.deleteOlder(sha256, Date.now() + 60_000);
    await put;
    expect(await store.get(sha256)).toEqual(bytes);
  });

  it('put for the first time since the look - it is there', async () => {
    await using folder = await temporaryFolder();
    const store = await DirectoryBlobStore.open(folder.path);
    const { sha256 } = await store.put(bytes);
    await store.delete(sha256);
    const put = inTheMiddleOf('stat', () => store.put(bytes));
    expect(await store.deleteOlder(sha256, Date.now() + 60_000)).toBe(true);
    await put;
    expect(await store.get(sha256)).toEqual(bytes);
  });

  it('deleted while it is put again - the put does not fail, and the blob is as young as a new one', async () => {
    await using folder = await temporaryFolder();
    const store = await DirectoryBlobStore.open(folder.path);
    const { sha256 } = await store.put(bytes);
    const later = Date.now() + 1;
    await delay(5);
    const deleting = inTheMiddleOf('utimes', () => store.deleteOlder(sha256, later));
    await store.put(bytes);
    expect(await deleting).toBe(false);
    expect(await store.get(sha256)).toEqual(bytes);
  });

  it('a step that fails - holds up none after it', async () => {
    await using folder = await temporaryFolder();
    const store = await DirectoryBlobStore.open(folder.path);
    const { sha256 } = await store.put(bytes);
    disk.before.set('rm', () => Promise.reject(Object.assign(new Error('EIO'), { code: 'EIO' })));
    const deleting = store.delete(sha256);
    const put = store.put(bytes);
    await expect(deleting).rejects.toMatchObject({ code: 'DISK_FULL' });
    await put;
    expect(await store.get(sha256)).toEqual(bytes);
    await store.close();
  });
});
