import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ImageBatch } from '@bbdistill/common';
import { Command } from 'commander';
import { describe, expect, it } from 'vitest';
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
  const file = (classes: number) => `
teachers:
  mine: { adapter: onnx, path: ${JSON.stringify(model)} }
run: { classes: ${classes}, images: { path: . } }
`;

  it('shows what the configured teacher says', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'run.yaml');
    await writeFile(path, file(4));
    const { stdout, exitCode } = await run('check', path);
    expect(stdout).toContain('answers  probabilities, 4 classes\nimages   8x8x1');
    expect(stdout).toContain('image 0  0.250 0.250 0.250 0.250');
    expect(stdout).toContain('it can be used as configured');
    expect(exitCode).toBe(0);
    expect(JSON.parse((await run('check', path, 'mine', '--json')).stdout)).toMatchObject({ name: 'mine', asked: 2 });
  });

  it('ends with a code of its own where the teacher can not be used', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'run.yaml');
    await writeFile(path, file(10));
    const { stdout, exitCode } = await run('check', path);
    expect(stdout).toMatch(/problem {2}.*10/);
    expect(exitCode).toBe(5);
    await expect(run('check', path, 'other')).rejects.toThrow('describes no teacher "other", but: mine');
  });
});
