import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readRunFile } from './run-file.js';
import type { Override } from './run-file.js';

const GOOD = `
teachers:
  mine: { adapter: onnx, path: teacher.onnx }
run:
  images: { path: ./images }
  classes: 3
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bbdistill-run-file-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function read(text: string, ...overrides: Override[]) {
  const path = join(folder, 'my run.yaml');
  await writeFile(path, text);
  return readRunFile(path, overrides);
}

describe('a run file', () => {
  it('takes its name, its only teacher and every default', async () => {
    const { run, teachers, baseFolder } = await read(GOOD);
    expect(run).toMatchObject({
      name: 'my run',
      teacher: 'mine',
      synthesis: { images: 24_000 },
      student: { network: 'lenet5-half', recipe: 'best' },
      evaluation: { teacherImages: 0 },
      engine: 'auto',
      seed: 1,
      out: './out',
    });
    expect(teachers[0]!.path).toBe(join(folder, 'teacher.onnx'));
    expect(baseFolder).toBe(folder);
  });

  it('lays flags over the file, read as YAML reads them', async () => {
    const { run } = await read(
      GOOD,
      ['run.student.network', 'lenet5'],
      ['run.seed', '7'],
      ['run.images.skipBad', 'true'],
      ['run.classNames', '[a, b, c]'],
    );
    expect(run.student.network).toBe('lenet5');
    expect(run.seed).toBe(7);
    expect(run.images.skipBad).toBe(true);
    expect(run.classNames).toEqual(['a', 'b', 'c']);
  });

  it.each(['123', 'true', 'null', '1e3', '[a', 'a: b', '"quoted"'])(
    'the flag of a text is text as it is: %s',
    async (text) => {
      const { run } = await read(GOOD, ['run.name', text], ['run.images.path', text], ['run.student.network', text]);
      expect(run).toMatchObject({ name: text, images: { path: text }, student: { network: text } });
    },
  );

  it('the flag of a text that is empty is refused as one; other settings may be null', async () => {
    await expect(read(GOOD, ['run.name', ''])).rejects.toThrow(/^run\.name is ""/);
    await expect(read(GOOD, ['run.seed', 'null'])).rejects.toThrow(/^run\.seed/);
  });

  it('can be flags alone', async () => {
    const { run } = await readRunFile(undefined, [
      ['run.images.path', 'x'],
      ['run.classes', '2'],
      ['run.teacher', 'registered'],
    ]);
    expect(run).toMatchObject({ name: 'run', teacher: 'registered', images: { path: 'x' } });
  });

  it.each<[string, string, RegExp]>([
    [
      'an unknown key, with the nearest one',
      GOOD.replace('classes', 'clases'),
      /run\.clases is not known\. Did you mean "classes"/,
    ],
    [
      'an unknown key deep down',
      `${GOOD}  synthesis: { cvae: { epoch: 3 } }\n`,
      /synthesis\.cvae\.epoch is not known\. Did you mean "epochs"/,
    ],
    ['an unknown top-level block', `${GOOD}other: 1\n`, /other is not known/],
    ['a missing block', 'teachers: {}\n', /run/],
    ['a wrong type', GOOD.replace('3', 'three'), /run\.classes/],
    ['an unknown recipe', `${GOOD}  student: { recipe: worst }\n`, /run\.student\.recipe/],
    ['an average that never moves', `${GOOD}  student: { emaDecay: 1 }\n`, /run\.student\.emaDecay/],
    [
      'a network beside a topology',
      `${GOOD}  student: { network: lenet5, topology: model.json }\n`,
      /run\.student: network and topology are both given/,
    ],
    [
      'images held out beside test images',
      `${GOOD}  test: { path: test }\n  evaluation: { holdOut: 5 }\n`,
      /run\.evaluation\.holdOut.*run\.test is given as well/,
    ],
    [
      'images held out, and a number of test images to ask about',
      `${GOOD}  evaluation: { holdOut: 5, teacherImages: 5 }\n`,
      /run\.evaluation: teacherImages and holdOut are both given/,
    ],
    ['text that is not YAML', 'run: [', /is not YAML/],
    ['an empty file', '', /holds no settings/],
    [
      'several teachers and none named',
      GOOD.replace('run:', '  other: { adapter: fake }\nrun:'),
      /name one of mine, other/,
    ],
    ['no teacher at all', GOOD.replace(/teachers:\n.*\n/, ''), /run\.teacher is missing/],
    [
      'a secret in the file',
      GOOD.replace('path: teacher.onnx', 'path: t.onnx, auth: { token: abc }'),
      /auth\.token is not known/,
    ],
  ])('refuses %s', async (_what, text, message) => {
    await expect(read(text)).rejects.toThrow(message);
  });

  it('names every fault at once', async () => {
    const text = GOOD.replace('classes: 3', 'classes: -1\n  sed: 1');
    await expect(read(text)).rejects.toThrow(/run\.classes[^]*run\.sed|run\.sed[^]*run\.classes/);
  });

  it('refuses a flag that reaches for an object prototype', async () => {
    await expect(read(GOOD, ['run.__proto__.x', '1'])).rejects.toThrow(/is no setting/);
  });

  it('refuses a file that is not there', async () => {
    await expect(readRunFile(join(folder, 'missing.yaml'), [])).rejects.toThrow(/cannot read/);
  });
});
