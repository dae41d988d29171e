import { spawn } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { bootId } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.js';
import { Predecessors } from './predecessors.js';

const host = hostname();
const boot = bootId();

async function endedProcess(): Promise<number> {
  const child = spawn(process.execPath, ['-e', '']);
  await new Promise((resolve) => child.once('exit', resolve));
  return child.pid!;
}

describe.runIf(boot !== undefined)('predecessors', () => {
  it('a process that ended - is known to be gone until it is forgotten; one that runs is not', async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'holders.json');
    const ended = { holder: 'ended', host, boot, pid: await endedProcess(), startTime: '1' };
    await writeFile(file, JSON.stringify([ended, { ...ended, holder: 'other start', pid: process.pid }]));
    const predecessors = new Predecessors(folder.path);
    expect(predecessors.enter('me')).toEqual(['ended', 'other start']);
    expect(predecessors.enter('me too')).toEqual(['ended', 'other start']);
    predecessors.forget(['ended', 'other start']);
    expect(predecessors.enter('me three')).toEqual([]);
    expect(await readFile(file, 'utf8')).toContain('"me too"');
  });

  it.each([
    ['another host', { host: 'elsewhere', boot }],
    ['a machine whose starts nobody tells apart', { host }],
  ])('a process of %s - may be alive', async (_what, where) => {
    await using folder = await temporaryFolder();
    const entry = { holder: 'theirs', pid: await endedProcess(), startTime: '1', ...where };
    await writeFile(join(folder.path, 'holders.json'), JSON.stringify([entry]));
    expect(new Predecessors(folder.path).enter('me')).toEqual([]);
  });

  it('a process from before the machine was started anew - is gone, whoever has its number now', async () => {
    await using folder = await temporaryFolder();
    const entry = { holder: 'before', host, boot: 'another', pid: process.pid };
    await writeFile(join(folder.path, 'holders.json'), JSON.stringify([entry]));
    expect(new Predecessors(folder.path).enter('me')).toEqual(['before']);
  });

  it('a folder that takes no file - is no reason to stop', async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'a-file');
    await writeFile(file, '');
    const predecessors = new Predecessors(join(file, 'below'));
    expect(predecessors.enter('me')).toEqual([]);
    predecessors.forget(['me']);
  });

  it.each(['', 'no JSON', '{}', '[1, null, {"holder": 1}]'])('a file with %j - tells nothing', async (text) => {
    await using folder = await temporaryFolder();
    await writeFile(join(folder.path, 'holders.json'), text);
    expect(new Predecessors(folder.path).enter('me')).toEqual([]);
  });
});
