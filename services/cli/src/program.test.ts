import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { EmbeddedAnswerCache } from '@bbdistill/teacher-proxy';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../test/helpers/run-cli.js';
import { temporaryFolder } from '../../../test/helpers/temporary-folder.js';
import type { TemporaryFolder } from '../../../test/helpers/temporary-folder.js';

const RUN_FILE = `
teachers: { mine: { adapter: fake } }
run: { images: { path: . }, classes: 3 }
`;

let folder: TemporaryFolder;
const at = (...names: string[]) => join(folder.path, ...names);
beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(at('run.yaml'), RUN_FILE);
});
afterAll(() => folder[Symbol.asyncDispose]());

describe('flags of the command line', () => {
  it.each<[string, string[], RegExp]>([
    [
      'of a run at a command without one',
      ['usage', '--run.budget.images', '5'],
      /--run\.budget\.images has no place in usage/,
    ],
    ['of a run that is made', ['resume', 'abc', '--run.budget.images=5'], /--run\.budget\.images .* --budget-images/],
    ['of a teacher without its file', ['resume', 'abc', '--teachers.mine.url=x'], /needs the file .* resume RUN FILE/],
    ['without a value', ['plan', '--run.overlap', '--run.seed', '3'], /--run\.overlap needs a value/],
    ['without a value at the end', ['plan', '--run.overlap'], /--run\.overlap needs a value/],
    ['that is no YAML', ['check-config', 'FILE', '--run.seed', '@x'], /--run\.seed @x is not YAML .*quotes/],
    ['of another kind', ['check-config', 'FILE', '--run.classes', 'ten'], /run\.classes is "ten": .*number/],
    ['that is none of a few', ['check-config', 'FILE', '--run.images.channels', '4'], /channels is 4: .*1\|3/],
    ['that is an empty number', ['resume', 'abc', '--budget-images', ''], /whole number of 0 or more/],
  ])('a setting %s is refused, and named', async (_, argv, says) => {
    const { exitCode, stderr } = await runCli(...argv.map((word) => (word === 'FILE' ? at('run.yaml') : word)));
    expect(stderr).toMatch(says);
    expect(stderr).not.toContain('    at ');
    expect(exitCode).toBe(2);
  });

  it('a setting is one where there is a run file', async () => {
    const { stdout } = await runCli('check-config', at('run.yaml'), '--run.seed', '-0', '--run.overlap', 'true');
    expect(JSON.parse(stdout)).toMatchObject({ run: { overlap: true } });
  });
});

describe('answers as a file', () => {
  it('export - nothing is written from a folder without answers, and what was exported stays', async () => {
    await writeFile(at('answers.bin'), 'exported before');
    const { exitCode, stderr } = await runCli('cache', 'export', at('answers.bin'), '--state', at('typo'));
    expect(stderr).toMatch(/no answers in the state folder .*typo: name the right one with --state/);
    expect(exitCode).toBe(2);
    expect(await readFile(at('answers.bin'), 'utf8')).toBe('exported before');
    await expect(readFile(at('typo'))).rejects.toThrow('ENOENT');
  });

  it('export - onto a folder is wrong usage, said before answers are read', async () => {
    const state = at('answered');
    const answers = new EmbeddedAnswerCache(join(state, 'answers'));
    await answers.addMany([{ key: Buffer.alloc(32, 1), answer: { raw: 'cat', unit: 'u', callId: 'c' } }]);
    await answers.close();
    const { exitCode, stderr } = await runCli('cache', 'export', folder.path, '--state', state);
    expect(stderr).toMatch(/the file of answers is .*, which is a folder: name a file/);
    expect(exitCode).toBe(2);
    expect((await runCli('cache', 'export', at('all.bin'), '--state', state)).stdout).toMatch(/^1 answers are in/);
  });

  it('import - a file that is not there is wrong usage', async () => {
    const { exitCode, stderr } = await runCli('cache', 'import', at('nowhere'), '--state', at('state'));
    expect(stderr).toMatch(/nowhere can't be read/);
    expect(exitCode).toBe(2);
  });
});
