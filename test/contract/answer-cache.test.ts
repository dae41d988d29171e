import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FolderNotWritableError, sha256Hex, silentLogger, systemClock } from '@bbdistill/common';
import { EmbeddedAnswerCache, exportAnswers } from '@bbdistill/teacher-proxy';
import type { AnswerCache } from '@bbdistill/teacher-proxy';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import type { TemporaryFolder } from '../helpers/temporary-folder.js';
import { boundedCacheContract } from './bounded-cache.contract.js';

const wide = { maxBytes: 1e9, neededSinceMs: async () => undefined, clock: systemClock, logger: silentLogger };

const key = (name: string) => Buffer.from(sha256Hex(name), 'hex');
const answer = (...values: number[]) => ({ raw: Float32Array.from(values), unit: 'unit', callId: 'call.1' });

/** What every implementation of the answer cache promises. */
function answerCacheContract(name: string, open: (folder: string) => AnswerCache): void {
  describe(`answer cache - ${name}`, () => {
    let folder: TemporaryFolder;
    let cache: AnswerCache;

    beforeEach(async () => {
      folder = await temporaryFolder();
      cache = open(folder.path);
    });

    afterEach(async () => {
      await cache.close();
      await folder[Symbol.asyncDispose]();
    });

    it('get - what was put is there, bit for bit, with what paid for it', async () => {
      const stored = answer(0.1, 1e-38, -0, 0.9);
      await cache.putMany([{ key: key('a'), answer: stored }]);
      expect(await cache.get(key('a'))).toEqual(stored);
      expect(await cache.get(key('b'))).toBeUndefined();
    });

    it('getMany - answers in the order of the keys', async () => {
      await cache.putMany([
        { key: key('a'), answer: answer(1) },
        { key: key('b'), answer: answer(2) },
      ]);
      const found = await cache.getMany([key('b'), key('c'), key('a'), key('b')]);
      expect(found.map((entry) => entry?.raw[0])).toEqual([2, undefined, 1, 2]);
    });

    it('putMany - replaces what is there', async () => {
      await cache.putMany([{ key: key('a'), answer: answer(1) }]);
      await cache.putMany([{ key: key('a'), answer: answer(2) }]);
      expect((await cache.get(key('a')))?.raw).toEqual(Float32Array.of(2));
    });

    it('answers - are copies that no later write changes', async () => {
      await cache.putMany([{ key: key('a'), answer: answer(1) }]);
      const found = await cache.get(key('a'));
      await cache.putMany(Array.from({ length: 500 }, (_, n) => ({ key: key(`${n}`), answer: answer(n) })));
      expect(found?.raw).toEqual(Float32Array.of(1));
    });

    it('close, open - keeps the answers', async () => {
      await cache.putMany([{ key: key('a'), answer: answer(1, 2, 3) }]);
      await cache.close();
      cache = open(folder.path);
      expect((await cache.get(key('a')))?.raw).toEqual(Float32Array.of(1, 2, 3));
    });
  });
}

describe('answer cache - embedded, bad folder', () => {
  it('open - a folder that can not be made is refused by name', async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'file');
    await writeFile(file, '');
    expect(() => new EmbeddedAnswerCache(join(file, 'answers'))).toThrow(FolderNotWritableError);
  });
});

answerCacheContract('embedded', (folder) => new EmbeddedAnswerCache(folder));
answerCacheContract('embedded, bounded', (folder) => new EmbeddedAnswerCache(folder, wide));

describe('answer cache - embedded, bounded', () => {
  boundedCacheContract(async () => {
    const folder = await temporaryFolder();
    return {
      open: async (bound) => new EmbeddedAnswerCache(folder.path, bound),
      async kept(keys) {
        const looking = new EmbeddedAnswerCache(folder.path);
        const found = await looking.getMany(keys);
        await looking.close();
        return found.map((answer) => answer !== undefined);
      },
      [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
    };
  });

  it('answers that were kept without a bound - count as used when it is set, and are handed on', async () => {
    await using folder = await temporaryFolder();
    const before = new EmbeddedAnswerCache(folder.path);
    await before.putMany([{ key: key('a'), answer: answer(1, 2) }]);
    await before.close();
    const cache = new EmbeddedAnswerCache(folder.path, wide);
    expect(cache.staleUses([key('a'), key('b')])).toEqual([key('b')]);
    await cache.putMany([{ key: key('b'), answer: answer(3) }]);
    expect(await exportAnswers(cache, join(folder.path, 'answers.gz'))).toBe(2);
    await cache.close();
  });
});
