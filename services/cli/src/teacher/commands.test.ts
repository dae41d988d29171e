import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ImageBatch } from '@bbdistill/common';
import { Command } from 'commander';
import sharp from 'sharp';
import { describe, expect, it, vi } from 'vitest';
import { startHostedTeacher } from '../../../../test/helpers/hosted-teacher.js';
import { writeTinyFolder } from '../../../../test/helpers/png-folder.js';
import { temporaryFolder } from '../../../../test/helpers/temporary-folder.js';
import { tinyImages } from '../../../../test/helpers/tiny-images.js';
import { waitFor } from '../../../../test/helpers/wait-for.js';
import { teacherCommand } from './commands.js';

const model = fileURLToPath(new URL('../../../../test/fixtures/teachers/probabilities-nhwc.onnx', import.meta.url));

/** `bbdistill teacher …` in this process. */
function start(...argv: string[]) {
  const stop = new AbortController();
  const said = { stdout: '', stderr: '', exitCode: 0 };
  const command = teacherCommand({
    output: {
      stdout: (text) => void (said.stdout += `${text}\n`),
      stderr: (text) => void (said.stderr += `${text}\n`),
      interactive: false,
    },
    overrides: [],
    interrupt: stop.signal,
    setExitCode: (code) => (said.exitCode = code),
  });
  for (const each of [command, ...command.commands]) {
    each.exitOverride().configureOutput({ writeErr: (text) => void (said.stderr += text) });
  }
  const ended = new Command().addCommand(command).parseAsync(['teacher', ...argv], { from: 'user' });
  ended.catch(() => undefined);
  return { said, stop, ended };
}

async function run(...argv: string[]) {
  const { said, ended } = start(...argv);
  await ended;
  return said;
}

function idx(sizes: number[], data: Uint8Array | Int32Array): Uint8Array {
  const header = Buffer.alloc(4 + 4 * sizes.length);
  header.set([0, 0, 8, sizes.length]);
  sizes.forEach((size, axis) => header.writeUInt32BE(size, 4 + 4 * axis));
  return Buffer.concat([header, Uint8Array.from(data)]);
}

async function writeSet(
  folder: string,
  part: string,
  { count, shape, pixels, labels }: ImageBatch & { labels: Int32Array },
) {
  await writeFile(join(folder, `${part}-images-idx3-ubyte`), idx([count, shape.height, shape.width], pixels));
  await writeFile(join(folder, `${part}-labels-idx1-ubyte`), idx([count], labels));
}

describe('bbdistill teacher train', () => {
  it('trains on the files of a folder and says what came of it', async () => {
    await using folder = await temporaryFolder();
    await writeSet(folder.path, 'train', tinyImages(256, 10, 1));
    await writeSet(folder.path, 't10k', tinyImages(50, 10, 2));
    const out = join(folder.path, 'out');
    const flags = ['--data', folder.path, '--out', out, '--epochs', '2', '--seed', '3', '--engine', 'wasm'];
    const { stdout, stderr } = await run('train', 'fashion-mnist', ...flags);
    expect(stderr).toMatch(/^training 0\/4 steps\n[^]*training 4\/4 steps, [^\n]* loss [\d.]+\n$/);
    expect(stdout).toMatch(/teacher\.onnx: [\d.]+ % of 50 test images right[^]*bbdistill teacher serve/);
    const facts = JSON.parse(await readFile(join(out, 'teacher.json'), 'utf8')) as object;
    expect(facts).toMatchObject({
      dataset: 'fashion-mnist',
      seed: 3,
      epochs: 2,
      trainingImages: 256,
      network: 'lenet5',
    });
    const again = await run('train', 'fashion-mnist', ...flags, '--json');
    expect(JSON.parse(again.stdout)).toMatchObject({ sha256: (facts as { sha256: string }).sha256 });
    expect(again.stderr).toBe('');
  });

  it.each([
    ['an unknown data set', ['train', 'cifar'], 'Allowed choices are fashion-mnist'],
    ['no epochs', ['train', 'fashion-mnist', '--epochs', '0'], 'it must be a whole number of 1 or more'],
    [
      'a missing folder',
      ['train', 'fashion-mnist', '--data', 'nowhere'],
      'install the Debian package dataset-fashion-mnist',
    ],
  ])('refuses %s', async (_what, argv, message) => {
    await expect(run(...argv)).rejects.toThrow(message);
  });
});

describe('bbdistill teacher serve', () => {
  it('serves until it is interrupted, then says how much it answered', async () => {
    const { said, stop, ended } = start('serve', model, '--port', '0', '--grpc-port', '0', '--model', 'mine');
    const url = await waitFor('its address', () => /serving (http:\S+)/.exec(said.stdout)?.[1]);
    expect(said.stdout).toMatch(/serving grpc:\/\/127\.0\.0\.1:\d+\/mine/);
    const inputs = [
      { name: 'images', datatype: 'FP32', shape: [1, 8, 8, 1], data: Array.from({ length: 64 }, () => 0) },
    ];
    expect((await fetch(`${url}/infer`, { method: 'POST', body: JSON.stringify({ inputs }) })).status).toBe(200);
    stop.abort();
    await ended;
    expect(said.stdout).toContain('answered 1 images in 1 requests, refused 0');
    await expect(fetch(`${url}`)).rejects.toThrow('fetch failed');
  });

  it.each([
    ['a token that is not set', ['serve', model, '--token-env', 'BBDISTILL_TEST_NOT_SET'], 'BBDISTILL_TEST_NOT_SET'],
    [
      'an address beyond this machine without a token',
      ['serve', model, '--host', '0.0.0.0', '--port', '0'],
      'without a token',
    ],
    ['a rate of nothing', ['serve', model, '--images-per-second', '0'], 'it must be a number above 0'],
    ['what is no model', ['serve', fileURLToPath(import.meta.url)], 'is not a model'],
  ])('refuses %s', async (_what, argv, message) => {
    await expect(run(...argv)).rejects.toThrow(message);
  });
});

describe('bbdistill teacher check', () => {
  const mine = `teachers:\n  mine: { adapter: onnx, path: ${JSON.stringify(model)} }\n`;

  /** A file of a run with images that the teacher takes. */
  async function writeRun(folder: string, classes: number): Promise<string> {
    const shape = { height: 8, width: 8 };
    const pixels = Uint8Array.from({ length: 6 * 64 }, (_, at) => (at * 7) % 256);
    await writeFile(join(folder, 'images-idx3-ubyte'), idx([6, shape.height, shape.width], pixels));
    const path = join(folder, 'run.yaml');
    await writeFile(path, `${mine}run: { classes: ${classes}, images: { path: images-idx3-ubyte } }\n`);
    return path;
  }

  it('shows what the configured teacher says', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'teachers.yaml');
    await writeFile(path, mine);
    const state = ['--state', join(folder.path, 'state')];
    const { stdout, stderr, exitCode } = await run('check', path, '--classes', '4', ...state);
    expect(stderr).toMatch(/^[^\n]*asks about 4 images in 1 call, no cost declared/);
    expect(stdout).toContain('answers  probabilities, 4 classes\nclasses  4, without names');
    expect(stdout).toContain('images   8x8x1');
    expect(stdout).toContain('image 0  0 25.0 %, 1 25.0 %, 2 25.0 %');
    expect(stdout).toContain('it can be used as configured');
    expect(exitCode).toBe(0);
    const again = await run('check', 'mine', '--json', ...state);
    expect(again.stderr).toContain('all 4 images were answered before: nothing is asked');
    expect(JSON.parse(again.stdout)).toMatchObject({ name: 'mine', asked: 0, cached: 4 });
    await expect(run('check', 'mime', ...state)).rejects.toThrow('Did you mean "mine"?');
  });

  it('ends with a code of its own where the teacher can not be used', async () => {
    await using folder = await temporaryFolder();
    const path = await writeRun(folder.path, 10);
    const state = ['--state', join(folder.path, 'state')];
    const { stdout, exitCode } = await run('check', path, ...state);
    expect(stdout).toMatch(/problem {2}.*10/);
    expect(exitCode).toBe(5);
    await expect(run('check', path, 'other', ...state)).rejects.toThrow('describes no teacher "other", but: mine');
    await expect(run('check', path, '--images', '21', ...state)).rejects.toThrow('a check asks about 20 at most');
  });

  it('nothing is asked where the picture could not be written', async () => {
    await using folder = await temporaryFolder();
    const path = await writeRun(folder.path, 4);
    const state = ['--state', join(folder.path, 'state')];
    const refused = async (out: string, says: string) => {
      const { said, ended } = start('check', path, '--out', out, ...state);
      await expect(ended).rejects.toThrow(says);
      await expect(ended).rejects.toMatchObject({ kind: expect.not.stringMatching('internal') as string });
      expect(said).toMatchObject({ stdout: '', stderr: '' });
    };
    await refused(join(path, 'below-a-file.png'), 'cannot write to the output folder');
    await refused(folder.path, 'which is a folder: name a file');
    expect(await run('check', path, '--out', join(folder.path, 'new', 'answers.png'), ...state)).toMatchObject({
      stderr: expect.stringContaining('asks about 4 images') as string,
      exitCode: 0,
    });
  });

  it.each([
    ["the run's", (path: string) => [path]],
    ['those of --from', (path: string) => [path, '--from', 'nowhere']],
  ])('nothing is asked where the images can not be read: %s', async (_whose, flags) => {
    await using folder = await temporaryFolder();
    await using teacher = await startHostedTeacher(() => ({ body: SAID[0] }));
    const path = join(folder.path, 'run.yaml');
    await writeFile(path, hosted(teacher.url, join(folder.path, 'typo')));
    const { said, ended } = start('check', ...flags(path), '--state', join(folder.path, 'state'));
    await expect(ended).rejects.toMatchObject({ kind: 'invalid-argument', code: 'IMAGE_NOT_FOUND' });
    expect(said).toMatchObject({ stdout: '', stderr: '' });
    expect(teacher.received).toHaveLength(0);
  });

  it('is left by Ctrl-C as interrupted, not with a complaint about the teacher', async () => {
    await using folder = await temporaryFolder();
    const images = join(folder.path, 'images');
    await writeTinyFolder(images, 9, 3, 1);
    let stop: () => void = () => undefined;
    await using teacher = await startHostedTeacher(() => {
      stop();
      return { body: SAID[0] };
    });
    const path = join(folder.path, 'run.yaml');
    await writeFile(path, hosted(teacher.url, images));
    const started = start('check', path, '--images', '3', '--state', join(folder.path, 'state'));
    stop = () => started.stop.abort();
    await expect(started.ended).rejects.toMatchObject({ kind: 'cancelled' });
    expect(started.said.stdout).not.toContain('problem');
  });

  const hosted = (url: string, folder: string) => `
teachers:
  pets:
    adapter: http-json
    preset: label-score
    url: ${url}/models/pets
    answer: { labels: { cat: 0, dog: 1, bird: 2, tree: null }, abstain: [unknown] }
    limits: { imagesPerMinute: 600, concurrency: 1 }
    price: { perImage: 0.0015, freeImagesPerMonth: 100, billsFailures: true, currency: EUR }
run: { classes: 3, images: { path: ${JSON.stringify(folder)} } }
`;
  const SAID = [
    [{ label: 'dog', score: 0.9 }],
    [
      { label: 'cat', score: 0.5 },
      { label: 'tree', score: 0.4 },
    ],
    [{ label: 'unknown', score: 0.8 }],
  ];

  it('tells classes, limits as declared and as learnt, price and answers of a hosted teacher, and draws them', async () => {
    await using folder = await temporaryFolder();
    const images = join(folder.path, 'images');
    await writeTinyFolder(images, 9, 3, 1);
    await using teacher = await startHostedTeacher(() => ({
      headers: { 'x-ratelimit-limit': '50', 'x-ratelimit-remaining': '49', 'x-ratelimit-reset': '60' },
      body: SAID[(teacher.received.length - 1) % SAID.length],
    }));
    const path = join(folder.path, 'run.yaml');
    await writeFile(path, hosted(teacher.url, images));
    const out = join(folder.path, 'answers.png');
    const flags = [path, '--images', '3', '--out', out, '--state', join(folder.path, 'state')];
    const { stdout, stderr, exitCode } = await run('check', ...flags);
    expect(stderr).toContain('asks about 3 images in 3 calls, up to 0.0045 EUR');
    expect(stdout).toContain('classes  3: 0 cat, 1 dog, 2 bird; outside the set: tree');
    expect(stdout).toContain('limits   600 images/min, 1 images a call, 1 calls at once, 30 s a call at most');
    expect(stdout).toContain('it says: 50 calls, 49 left, anew in 60 s (X-RateLimit)');
    expect(stdout).toContain(
      'price    0.0015 EUR an image, 100 images a month are free; calls that it fails on are billed',
    );
    expect(stdout).toMatch(/image 0 {2}dog 90\.0 %/);
    expect(stdout).toMatch(/image 1 {2}cat [\d.]+ %.* left out/);
    expect(stdout).toMatch(/image 2 {2}abstained: /);
    expect(exitCode).toBe(0);
    const picture = await sharp(out).metadata();
    expect(picture).toMatchObject({ format: 'png' });
    const again = await run('check', ...flags, '--json');
    expect(again.stderr).toContain('nothing is asked, nothing is paid');
    const found: unknown = JSON.parse(again.stdout);
    expect(found).toMatchObject({ asked: 0, cached: 3, classes: 3, classNames: ['cat', 'dog', 'bird'] });
    expect(teacher.received).toHaveLength(3);
  });

  it('says it each time where no label of the teacher is a class here', async () => {
    await using folder = await temporaryFolder();
    const images = join(folder.path, 'images');
    await writeTinyFolder(images, 9, 3, 1);
    await using teacher = await startHostedTeacher(() => ({ body: [{ label: 'hound', score: 0.9 }] }));
    const path = join(folder.path, 'run.yaml');
    await writeFile(path, hosted(teacher.url, images));
    const state = ['--state', join(folder.path, 'state')];
    const first = await run('check', path, ...state);
    const again = await run('check', path, ...state);
    expect(again.stderr).toContain('nothing is asked, nothing is paid');
    for (const { stdout, exitCode } of [first, again]) {
      expect(stdout).toContain('problem  the teacher names nothing that is a class here, but: hound');
      expect(stdout).not.toContain('it can be used as configured');
      expect(exitCode).toBe(5);
    }
  });

  it('takes a file of teachers alone, and names the labels that its settings do not have', async () => {
    await using folder = await temporaryFolder();
    const body = [
      { label: 'Cat', score: 0.6 },
      { label: 'sofa', score: 0.1 },
      { label: 'dog', score: 0.3 },
      { label: 'car', score: 0 },
    ];
    await using teacher = await startHostedTeacher(() => ({ body }));
    const path = join(folder.path, 'teachers.yaml');
    const one = `{ adapter: http-json, url: "${teacher.url}", preset: label-score, answer: { labels: { cat: 0, dog: 1, car: null } } }`;
    const state = ['--state', join(folder.path, 'state')];
    await writeFile(path, `teachers:\n  pets: ${one}\n`);
    const { stdout, exitCode } = await run('check', path, ...state);
    expect(stdout).toContain('teacher  pets (http-json)');
    expect(stdout).toContain('foreign  "Cat", "sofa": not in answer.labels');
    expect(exitCode).toBe(0);
    await writeFile(path, `teachers:\n  pets: ${one}\n  others: ${one}\n`);
    await expect(run('check', path, ...state)).rejects.toThrow('several teachers: name one of pets, others');
    expect((await run('check', path, 'others', ...state)).stdout).toContain('teacher  others (http-json)');
    await writeFile(path, `teachers:\n  pets: ${one}\nruns: {}\n`);
    await expect(run('check', path, ...state)).rejects.toThrow('runs is not known. Did you mean "run"?');
  });

  it('shows no secret that the teacher put into its answer, not even cut off', async () => {
    await using folder = await temporaryFolder();
    const images = join(folder.path, 'images');
    await writeTinyFolder(images, 9, 3, 1);
    const key = 'pl4nted-pl4nted-pl4nted';
    vi.stubEnv('CHECKED_KEY', key);
    await using teacher = await startHostedTeacher(() => ({ body: [{ label: 'dog', score: 'x'.repeat(50) + key }] }));
    const path = join(folder.path, 'run.yaml');
    await writeFile(path, hosted(teacher.url, images).replace('preset:', 'auth: { env: CHECKED_KEY }\n    preset:'));
    const state = ['--state', join(folder.path, 'state')];
    for (const flags of [[], ['--json']]) {
      const { stdout } = await run('check', path, ...state, ...flags);
      expect(stdout).toContain('xxx');
      expect(stdout).not.toContain('pl4');
    }
    vi.unstubAllEnvs();
  });

  it('makes no further call after one that failed', async () => {
    await using folder = await temporaryFolder();
    const images = join(folder.path, 'images');
    await writeTinyFolder(images, 9, 3, 1);
    await using teacher = await startHostedTeacher(() => ({ status: 500, body: { error: 'out of order' } }));
    const path = join(folder.path, 'run.yaml');
    await writeFile(path, hosted(teacher.url, images));
    const { stdout, exitCode } = await run('check', path, '--state', join(folder.path, 'state'));
    expect(stdout).toMatch(/problem {2}failed: .*out of order/);
    expect(exitCode).toBe(5);
    expect(teacher.received).toHaveLength(1);
  });
});
