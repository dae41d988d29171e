import { chmod, mkdir, readFile, readdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BlobCorruptError, ConfigError, openEmbeddedStores, storageError, systemClock } from '@bbdistill/common';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { bytesOf, killAfterLines, startCrashChild } from './fixture.js';

const open = (folder: string) => openEmbeddedStores({ folder, clock: systemClock });

async function onlyFileBelow(folder: string): Promise<string> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  expect(files).toHaveLength(1);
  return files[0]!;
}

describe('the embedded state folder', () => {
  it('folder - a second process is refused with folder and process id, until the first is killed', async () => {
    await using folder = await temporaryFolder();
    await using child = startCrashChild('hold', ['embedded', folder.path]);
    const [, pid] = await child.line(/holding (\d+)/);
    const refused = open(folder.path);
    await expect(refused).rejects.toThrow(ConfigError);
    await expect(refused).rejects.toMatchObject({
      code: 'STATE_FOLDER_LOCKED',
      message: expect.stringMatching(new RegExp(`${folder.path}.*process ${pid!}`)) as unknown,
    });
    await killAfterLines(child, 1);
    await (await open(folder.path)).close();
  });

  it('folder - is refused to a second opener in the same process, and free after close', async () => {
    await using folder = await temporaryFolder();
    const stores = await open(folder.path);
    await expect(open(folder.path)).rejects.toThrow(/in use by process/);
    await stores.close();
    await stores.close();
    await (await open(folder.path)).close();
  });

  it('folder - many openers at once: one gets it', async () => {
    await using folder = await temporaryFolder();
    const results = await Promise.allSettled(Array.from({ length: 5 }, () => open(folder.path)));
    const opened = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    expect(opened).toHaveLength(1);
    await opened[0]!.close();
  });

  it('folder - one that cannot be made is a typed error that names it', async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'file');
    await writeFile(file, '');
    for (const path of [file, join(file, 'below')]) {
      await expect(open(path)).rejects.toMatchObject({
        code: 'FOLDER_NOT_WRITABLE',
        message: expect.stringContaining(path) as unknown,
      });
    }
  });

  it('folder - the ways in which a disk refuses have names', () => {
    for (const code of ['ENOSPC', 'EDQUOT', 28]) {
      expect(storageError(Object.assign(new Error('x'), { code }), '/data')).toMatchObject({
        code: 'DISK_FULL',
        kind: 'resource-exhausted',
        message: expect.stringContaining('/data') as unknown,
      });
    }
    for (const code of ['EACCES', 'EROFS', 13]) {
      expect(storageError(Object.assign(new Error('x'), { code }), '/data').code).toBe('FOLDER_NOT_WRITABLE');
    }
    expect(storageError(new Error('other'), '/data').kind).toBe('internal');
  });

  it('folder - a disk that takes no more is a typed error, and what was acknowledged is kept', async () => {
    await using folder = await temporaryFolder();
    // A limit on file sizes: the one way to a refused write that needs no rights and no disk of its own.
    await using child = startCrashChild('fill', ['embedded', folder.path], 'ulimit -f 4000');
    const [, count] = await child.line(/^state DISK_FULL after (\d+)$/);
    await child.line(/^blob DISK_FULL$/);
    expect(await child.ended).toBe(0);
    const stores = await open(folder.path);
    expect(Number(count)).toBeGreaterThan(0);
    for (let i = 0; i < Number(count); i++) expect(await stores.state.get(`fill/${i}`)).toBeDefined();
    await stores.state.create('after', bytesOf('space'));
    await stores.close();
  });

  it('folder - changed and cut blobs are found out when read', async () => {
    await using folder = await temporaryFolder();
    const stores = await open(folder.path);
    const { sha256 } = await stores.blobs.put(bytesOf('precious'));
    const file = await onlyFileBelow(join(folder.path, 'blobs'));
    await chmod(file, 0o600);
    await writeFile(file, 'Precious');
    await expect(stores.blobs.get(sha256)).rejects.toThrow(BlobCorruptError);
    await truncate(file, 3);
    await expect(stores.blobs.get(sha256)).rejects.toThrow(BlobCorruptError);
    await stores.blobs.put(bytesOf('precious'));
    expect(await stores.blobs.get(sha256)).toEqual(bytesOf('precious'));
    await stores.close();
  });

  it('folder - half-written files of a killed process are cleared at the next start', async () => {
    await using folder = await temporaryFolder();
    const left = join(folder.path, 'blobs', 'ab');
    await mkdir(left, { recursive: true });
    await writeFile(join(left, '.writing-1-0'), 'half');
    const stores = await open(folder.path);
    expect(await readdir(left)).toEqual([]);
    await stores.close();
  });

  it('folder - putting present bytes writes nothing', async () => {
    await using folder = await temporaryFolder();
    const stores = await open(folder.path);
    await stores.blobs.put(bytesOf('same'));
    const file = await onlyFileBelow(join(folder.path, 'blobs'));
    await chmod(file, 0o400);
    const before = await readFile(file);
    await stores.blobs.put(bytesOf('same'));
    expect(await onlyFileBelow(join(folder.path, 'blobs'))).toBe(file);
    expect(await readFile(file)).toEqual(before);
    await stores.close();
  });
});
