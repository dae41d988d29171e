import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.js';
import { prepareOutputFolder, withOutputFolder } from './download.js';

describe('the folder of the results', () => {
  it('is made with its parents, and is fine where it is there', async () => {
    await using folder = await temporaryFolder();
    const [outer, inner] = [join(folder.path, 'a'), join(folder.path, 'a', 'b')];
    expect(await prepareOutputFolder(inner)).toEqual([inner, outer]);
    expect(await prepareOutputFolder(inner)).toEqual([]);
    expect(await readdir(inner)).toEqual([]);
  });

  it('a parent that is a file - is said', async () => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, 'file'), '');
    for (const path of ['file', 'file/x', 'file/x/y']) {
      await expect(prepareOutputFolder(join(folder.path, path))).rejects.toMatchObject({ code: 'OUTPUT_NOT_WRITABLE' });
    }
  });

  // Node's own recursive mkdir never comes back from there.
  it.runIf(process.platform === 'linux').each(['/proc/x', '/proc/x/y'])('%s - is said to be of no use', async (path) =>
    expect(prepareOutputFolder(path)).rejects.toMatchObject({ code: 'OUTPUT_NOT_WRITABLE' }),
  );

  it('work that is refused - leaves none of the folders that were made for it', async () => {
    await using folder = await temporaryFolder();
    await mkdir(join(folder.path, 'mine'));
    const refused = withOutputFolder(join(folder.path, 'mine', 'a', 'b'), () => Promise.reject(new Error('refused')));
    await expect(refused).rejects.toThrow('refused');
    expect(await readdir(folder.path)).toEqual(['mine']);
    expect(await readdir(join(folder.path, 'mine'))).toEqual([]);
  });

  it('work that fails later - leaves what it wrote', async () => {
    await using folder = await temporaryFolder();
    const out = join(folder.path, 'out');
    const failed = withOutputFolder(out, async () => {
      await writeFile(join(out, 'report.json'), '');
      throw new Error('failed');
    });
    await expect(failed).rejects.toThrow('failed');
    expect(await readdir(out)).toEqual(['report.json']);
  });
});
