import { cp, mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeTinyFolder } from '../helpers/png-folder.js';
import { runCli } from '../helpers/run-cli.js';
import type { CliResult } from '../helpers/run-cli.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import type { TemporaryFolder } from '../helpers/temporary-folder.js';

let folder: TemporaryFolder;
const at = (...names: string[]) => join(folder.path, ...names);

const RUN_FILE = `
teachers:
  fake: { adapter: fake, fake: { classes: 3 } }
run:
  images: { path: good, channels: 1 }
  classes: 3
  synthesis: { images: 0 }
  student: { network: lenet5-half, recipe: paper, epochs: 1, batch: 16 }
  engine: wasm
`;

function idx(count: number, side: number): Buffer {
  const head = Buffer.from([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, side, 0, 0, 0, side]);
  return Buffer.concat([head, Buffer.alloc(count * side * side, 7)]);
}

function npy(count: number, side: number): Buffer {
  const text = `{'descr': '|u1', 'fortran_order': False, 'shape': (${count}, ${side}, ${side}), }`;
  const header = `${text.padEnd(117)}\n`;
  return Buffer.concat([
    Buffer.from('\x93NUMPY\x01\x00v\x00', 'latin1'),
    Buffer.from(header),
    Buffer.alloc(count * side * side),
  ]);
}

function png(side: number, channels: 1 | 3 | 4): Promise<Buffer> {
  return sharp(Buffer.alloc(side * side * channels, 90), { raw: { width: side, height: side, channels } })
    .png()
    .toBuffer();
}

beforeAll(async () => {
  folder = await temporaryFolder();
  await writeFile(at('run.yaml'), RUN_FILE);
  await writeTinyFolder(at('good'), 12, 3, 1);
  await writeTinyFolder(at('one'), 1, 3, 1);
  await writeTinyFolder(at('two'), 12, 2, 1);
  for (const name of ['mixed', 'alpha', 'damaged', 'deep']) await cp(at('good'), at(name), { recursive: true });
  await writeFile(at('mixed', 'class-0', 'large.png'), await png(20, 1));
  await writeFile(at('alpha', 'class-0', 'alpha.png'), await png(12, 4));
  const deep = sharp(
    Uint16Array.from({ length: 144 }, (_, n) => n * 400),
    { raw: { width: 12, height: 12, channels: 1 } },
  );
  await writeFile(at('deep', 'class-0', 'deep.png'), await deep.toColourspace('grey16').png().toBuffer());
  await writeFile(at('damaged', 'class-0', 'broken.png'), (await png(12, 1)).subarray(0, 40));
  await writeFile(at('whole.idx'), idx(5, 12));
  await writeFile(at('short.idx'), idx(5, 12));
  await truncate(at('short.idx'), 500);
  await writeFile(at('whole.npy'), npy(5, 12));
  await writeFile(at('short.npy'), npy(5, 12));
  await truncate(at('short.npy'), 500);
  await writeFile(at('labels.txt'), '0\n1\n2\n3\n0\n');
  await cp(at('good'), at('stray'), { recursive: true });
  await writeFile(at('stray', 'legend.png'), await png(12, 1));
  await cp(at('good', 'class-0'), at('days', '20240131'), { recursive: true });
  await cp(at('good', 'class-1'), at('days', '20240201'), { recursive: true });
  await mkdir(at('empty'));
});
afterAll(() => folder[Symbol.asyncDispose]());

const bbdistill = (command: string, ...flags: string[]): Promise<CliResult> =>
  runCli(command, at('run.yaml'), ...flags, '--state', at('state'));

describe('bad images on the command line', () => {
  it.each<[string, string[], RegExp]>([
    [
      'one image where images are to be mixed',
      ['--run.images.path', 'one', '--run.synthesis.images', '10'],
      /one image only .* at least 2/,
    ],
    ['pictures of several sizes', ['--run.images.path', 'mixed'], /large\.png|12x12.*20x20|20x20.*12x12/],
    ['a PNG with alpha', ['--run.images.path', 'alpha'], /alpha\.png: .*alpha|transl/],
    ['a truncated PNG', ['--run.images.path', 'damaged'], /broken\.png: is truncated or damaged/],
    ['a truncated IDX file', ['--run.images.path', 'short.idx'], /short\.idx: .*(truncated|bytes)/],
    ['a truncated NPY file', ['--run.images.path', 'short.npy'], /short\.npy: .*(truncated|bytes)/],
    [
      'a picture beside folders of pictures',
      ['--run.images.path', 'stray'],
      /stray: holds pictures directly \(legend\.png\) and in folders \(class-0\); move/,
    ],
    ['a folder without pictures', ['--run.images.path', 'empty'], /empty/],
    ['a path that is not there', ['--run.images.path', 'nowhere'], /nowhere/],
    [
      'labels out of range',
      ['--run.test.path', 'whole.idx', '--run.test.labels', 'labels.txt', '--run.test.channels', '1'],
      /label 3 and run\.classes is 3/,
    ],
    [
      'a test set that lacks a class, so that the others have no numbers',
      ['--run.test.path', 'two', '--run.test.channels', '1'],
      /run\.test has images of 2 classes \(class-0 0, class-1 1\) and run\.classes is 3: set run\.classNames/,
    ],
    [
      'a class of the test set that has another name',
      ['--run.test.path', 'good', '--run.test.channels', '1', '--run.classNames', '[class-0, class-1, other]'],
      /class-2: the folder is none of the classes that classNames names \(class-0, class-1, other\)/,
    ],
    [
      'test images of another size',
      [
        '--run.test.path',
        'mixed',
        '--run.test.labels',
        'folder',
        '--run.test.resize',
        '{ height: 9, width: 9 }',
        '--run.test.channels',
        '1',
      ],
      /12x12x1 and the test images 9x9x1/,
    ],
  ])('%s - is refused with file and reason, before anything is asked', async (_, flags, says) => {
    const { exitCode, stderr } = await bbdistill('plan', ...flags);
    expect(stderr).toMatch(says);
    expect(stderr).not.toContain('    at ');
    expect(exitCode).toBe(2);
  });

  it('skipBad - goes on without what can not be read and lists it', async () => {
    const { exitCode, stderr, stdout } = await bbdistill(
      'plan',
      '--run.images.path',
      'damaged',
      '--run.images.skipBad',
      'true',
      '--json',
    );
    expect(stderr).toMatch(/run\.images: skipped .*broken\.png: is truncated or damaged/);
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ images: 12 });
  });

  it('folders of dates - are folders like others where no classes are looked for', async () => {
    const { exitCode, stdout } = await bbdistill('plan', '--run.images.path', 'days', '--json');
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ images: 8 });
  });

  it('16 bits - are reduced to 8, and it says so', async () => {
    const { exitCode, stderr } = await bbdistill('plan', '--run.images.path', 'deep');
    expect(stderr).toMatch(/run\.images: .*16/);
    expect(exitCode).toBe(0);
  });

  it('alpha over white, one size for all - are taken when told so', async () => {
    const alpha = await bbdistill('plan', '--run.images.path', 'alpha', '--run.images.alpha', 'white');
    expect(alpha.exitCode).toBe(0);
    const mixed = await bbdistill(
      'plan',
      '--run.images.path',
      'mixed',
      '--run.images.resize',
      '{ height: 12, width: 12 }',
    );
    expect(mixed.exitCode).toBe(0);
  });

  it('one image alone - is enough where nothing is mixed', async () => {
    const out = at('one-out');
    const { exitCode, stderr } = await bbdistill('run', '--run.images.path', 'one', '--out', out);
    expect(stderr).not.toContain('bbdistill:');
    expect(exitCode).toBe(0);
  });
});
