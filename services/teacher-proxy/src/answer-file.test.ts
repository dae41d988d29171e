import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { sha256Hex } from '@bbdistill/common';
import { open } from 'lmdb';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.js';
import type { TemporaryFolder } from '../../../test/helpers/temporary-folder.js';
import { exportAnswers, importAnswers } from './answer-file.js';
import { EmbeddedAnswerCache } from './cache.js';

const key = (name: string) => Buffer.from(sha256Hex(name), 'hex');

let folder: TemporaryFolder;
let mine: EmbeddedAnswerCache;
let theirs: EmbeddedAnswerCache;
let file: string;

beforeEach(async () => {
  folder = await temporaryFolder();
  mine = new EmbeddedAnswerCache(join(folder.path, 'mine'));
  theirs = new EmbeddedAnswerCache(join(folder.path, 'theirs'));
  file = join(folder.path, 'answers.bbd');
  await mine.putMany([
    { key: key('row'), answer: { raw: Float32Array.of(0.25, 0.75), unit: 'u', callId: 'c' } },
    { key: key('text'), answer: { raw: '{"label":"Käfer"}', unit: 'u', callId: 'c' } },
  ]);
});

afterEach(async () => {
  await mine.close();
  await theirs.close();
  await folder[Symbol.asyncDispose]();
});

describe('answer file', () => {
  it('what is exported is there after the import, paid for by nobody here', async () => {
    expect(await exportAnswers(mine, file)).toBe(2);
    expect(await importAnswers(theirs, file)).toEqual({ added: 2, known: 0, conflicts: 0 });
    expect(await theirs.get(key('row'))).toEqual({
      raw: Float32Array.of(0.25, 0.75),
      unit: 'imported',
      callId: 'imported',
    });
    expect((await theirs.get(key('text')))?.raw).toBe('{"label":"Käfer"}');
  });

  it('an answer that is there stays, and one that says something else is counted', async () => {
    await theirs.putMany([{ key: key('row'), answer: { raw: Float32Array.of(1, 0), unit: 'own', callId: 'own' } }]);
    await exportAnswers(mine, file);
    expect(await importAnswers(theirs, file)).toEqual({ added: 1, known: 1, conflicts: 1 });
    expect((await theirs.get(key('row')))?.raw).toEqual(Float32Array.of(1, 0));
    await exportAnswers(theirs, file);
    expect(await importAnswers(theirs, file)).toEqual({ added: 0, known: 2, conflicts: 0 });
    expect((await theirs.get(key('row')))?.unit).toBe('own');
  });

  it('an answer that is paid for while the file is taken in stays', async () => {
    const paid = { key: key('row'), answer: { raw: Float32Array.of(1, 0), unit: 'own', callId: 'own' } };
    await exportAnswers(mine, file);
    const addMany = theirs.addMany.bind(theirs);
    vi.spyOn(theirs, 'addMany').mockImplementation(async (entries) => {
      await theirs.putMany([paid]);
      return addMany(entries);
    });
    expect(await importAnswers(theirs, file)).toEqual({ added: 1, known: 1, conflicts: 1 });
    expect(await theirs.get(paid.key)).toEqual(paid.answer);
  });

  it('one that is there and damaged is taken from the file', async () => {
    const path = join(folder.path, 'damaged');
    const raw = open<Buffer, Buffer>({ path, encoding: 'binary', keyEncoding: 'binary' });
    await raw.put(key('row'), Buffer.from('damaged'));
    await raw.close();
    await exportAnswers(mine, file);
    const cache = new EmbeddedAnswerCache(path);
    expect(await importAnswers(cache, file)).toEqual({ added: 2, known: 0, conflicts: 0 });
    expect((await cache.get(key('row')))?.raw).toEqual(Float32Array.of(0.25, 0.75));
    await cache.close();
  });

  it('of an empty cache is a file as well', async () => {
    expect(await exportAnswers(theirs, file)).toBe(0);
    expect(await importAnswers(mine, file)).toEqual({ added: 0, known: 0, conflicts: 0 });
  });

  it.each<[string, (whole: Buffer) => Buffer]>([
    ['no archive', () => Buffer.from('hello')],
    ['nothing', () => Buffer.alloc(0)],
    ['another archive', () => gzipSync('hello, this is another kind of file')],
    ['half of it', (whole) => whole.subarray(0, whole.length / 2)],
    ['a flipped bit', (whole) => changed(whole, (bytes) => (bytes[bytes.length - 60]! ^= 1))],
    ['another checksum', (whole) => changed(whole, (bytes) => (bytes[bytes.length - 1]! ^= 1))],
    ['another count', (whole) => changed(whole, (bytes) => (bytes[bytes.length - 36]! ^= 1))],
    ['a length beyond reason', (whole) => changed(whole, (bytes) => bytes.writeUInt32LE(0xffffffff, 20))],
  ])('%s is refused, and nothing is taken', async (_, spoil) => {
    await exportAnswers(mine, file);
    await writeFile(file, spoil(await readFile(file)));
    await expect(importAnswers(theirs, file)).rejects.toMatchObject({
      code: 'ANSWER_FILE',
      kind: 'invalid-argument',
    });
    expect(await theirs.get(key('row'))).toBeUndefined();
    expect(await theirs.get(key('text'))).toBeUndefined();
  });

  it.each([
    ['no archive', Buffer.from('hello')],
    ['nothing', Buffer.alloc(0)],
    ['another archive', gzipSync('hello, this is another kind of file')],
    ['a short archive', gzipSync('hello')],
  ])('%s - is called what it is, not by what zlib makes of it', async (_, content) => {
    await writeFile(file, content);
    await expect(importAnswers(theirs, file)).rejects.toThrow(
      `${file} can't be taken: it is no file that bbdistill cache export wrote; nothing was imported`,
    );
  });

  it('a file that is not there is said', async () => {
    await expect(importAnswers(theirs, join(folder.path, 'nowhere'))).rejects.toThrow('nowhere');
  });
});

function changed(whole: Buffer, change: (bytes: Buffer) => unknown): Buffer {
  const bytes = gunzipSync(whole);
  change(bytes);
  return gzipSync(bytes);
}
