import type * as realFs from 'node:fs';
import { appendFile, open as openFile, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { temporaryFolder } from '../../../../../test/helpers/temporary-folder.js';
import { FileMarks } from './file-marks.js';

const disk = vi.hoisted(() => ({ freeBytes: Infinity }));
vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof realFs>();
  return {
    ...fs,
    /** As the system does it: what fits is written, and only where nothing does there is an error. */
    writeSync(file: number, bytes: Uint8Array, at: number, length: number, position: number): number {
      if (disk.freeBytes === 0) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' });
      const written = fs.writeSync(file, bytes, at, Math.min(length, disk.freeBytes), position);
      disk.freeBytes -= written;
      return written;
    },
  };
});

const opened: FileMarks[] = [];
const open = (folder: string, boot = 'boot-1') => {
  const marks = FileMarks.open(folder, boot)!;
  opened.push(marks);
  return marks;
};
afterEach(() => opened.splice(0).forEach((marks) => marks.close()));

describe('marks in a file', () => {
  it('a process that ends without closing - the next one has its marks', async () => {
    await using folder = await temporaryFolder();
    const marks = open(folder.path);
    marks.add('a');
    marks.add('b');
    marks.remove('a');
    marks.remove('never there');
    const next = open(folder.path);
    expect(next.isWhole).toBe(true);
    expect([next.has('a'), next.has('b')]).toEqual([false, true]);
    next.remove('b');
    expect(open(folder.path).has('b')).toBe(false);
  });

  it('after another start of the machine, and where there was no file - whatever was marked is not known', async () => {
    await using folder = await temporaryFolder();
    const marks = open(folder.path);
    expect(marks.isWhole).toBe(false);
    marks.add('a');
    const later = open(folder.path, 'boot-2');
    expect(later.isWhole).toBe(false);
    expect(later.has('a')).toBe(false);
  });

  it('a line that was cut off - was never told to have been written', async () => {
    await using folder = await temporaryFolder();
    open(folder.path).add('a');
    await appendFile(join(folder.path, 'marks.log'), '+half');
    const next = open(folder.path);
    expect([next.has('a'), next.has('half')]).toEqual([true, false]);
    next.add('b');
    expect(open(folder.path).has('b')).toBe(true);
  });

  it('a full disk - a mark that does not fit is no mark, and what follows it is whole', async () => {
    await using folder = await temporaryFolder();
    const marks = open(folder.path);
    marks.add('a');
    try {
      disk.freeBytes = 3;
      expect(() => marks.add('a-long-name')).toThrow(folder.path);
      expect(marks.has('a-long-name')).toBe(false);
    } finally {
      disk.freeBytes = Infinity;
    }
    marks.add('b');
    marks.add('c');
    const next = open(folder.path);
    expect(['a', 'a-long-name', 'b', 'c'].map((name) => next.has(name))).toEqual([true, false, true, true]);
  });

  it('a full disk - a new file that does not fit does not take the place of the old one', async () => {
    await using folder = await temporaryFolder();
    open(folder.path).add('a');
    try {
      disk.freeBytes = 4;
      expect(() => FileMarks.open(folder.path, 'boot-1')).toThrow(folder.path);
    } finally {
      disk.freeBytes = Infinity;
    }
    expect(open(folder.path).has('a')).toBe(true);
  });

  it('many marks - the file stays small and keeps what counts', async () => {
    await using folder = await temporaryFolder();
    const marks = open(folder.path);
    marks.add('kept');
    for (let n = 0; n < 5_000; n++) {
      marks.add(`call-${n}`);
      marks.remove(`call-${n}`);
    }
    expect((await stat(join(folder.path, 'marks.log'))).size).toBeLessThan(70_000);
    expect(await readFile(join(folder.path, 'marks.log'), 'utf8')).toContain('+kept');
    expect(open(folder.path).has('kept')).toBe(true);
  });

  it('closed - takes no mark, and writes into no file that has its number now', async () => {
    await using folder = await temporaryFolder();
    const marks = open(folder.path);
    marks.add('a');
    marks.close();
    const other = join(folder.path, 'other');
    await using file = await openFile(other, 'w');
    marks.remove('a');
    expect(() => marks.add('b')).toThrow('is closed');
    expect((await file.stat()).size).toBe(0);
    marks.close();
  });

  it('a folder that is not there - a typed error that names it', () => {
    expect(() => FileMarks.open('/nowhere/at/all', 'boot-1')).toThrow('/nowhere/at/all');
  });
});
