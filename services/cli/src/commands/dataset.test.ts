import { link, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command } from 'commander';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCli } from '../../../../test/helpers/run-cli.js';
import { temporaryFolder } from '../../../../test/helpers/temporary-folder.js';
import type { TemporaryFolder } from '../../../../test/helpers/temporary-folder.js';
import { waitFor } from '../../../../test/helpers/wait-for.js';
import { datasetCommand } from './dataset.js';

let folder: TemporaryFolder;
const at = (...names: string[]) => join(folder.path, ...names);
beforeAll(async () => {
  folder = await temporaryFolder();
  await mkdir(at('photos'));
  await photo(at('photos', 'a.png'), 40, 30, '#ff0000');
  await photo(at('photos', 'b.png'), 20, 50, '#00ff0080');
});
afterAll(() => folder[Symbol.asyncDispose]());

const photo = (file: string, width: number, height: number, background: string) =>
  sharp({ create: { width, height, channels: 4, background } })
    .png()
    .toFile(file);
const describeIt = (...flags: string[]) => runCli('dataset', 'describe', at('photos'), ...flags);

describe('dataset describe', () => {
  it('reads photos of different sizes as a run with these settings would', async () => {
    expect((await describeIt('--alpha', 'white')).stderr).toContain('set resize to bring all to one size');
    const { exitCode, stdout } = await describeIt('--resize', '16x24', '--channels', '1', '--alpha', 'white', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ images: 2, shape: { height: 16, width: 24, channels: 1 } });
    expect(exitCode).toBe(0);
    expect((await describeIt('--resize', '16x24', '--alpha', 'refuse')).stderr).toContain('has translucent pixels');
  });

  it('takes the axes of an NPY as told', async () => {
    const header = "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 3, 3), }\n";
    const length = Buffer.from(Uint16Array.of(header.length).buffer);
    const npy = [Buffer.from('\x93NUMPY\x01\x00', 'latin1'), length, Buffer.from(header), Buffer.alloc(54)];
    await writeFile(at('images.npy'), Buffer.concat(npy));
    expect((await runCli('dataset', 'describe', at('images.npy'))).exitCode).toBe(2);
    const { stdout } = await runCli('dataset', 'describe', at('images.npy'), '--layout', 'NCHW');
    expect(stdout).toContain('images       2 of 3x3x3');
  });

  it.each([
    ['a size of one side', ['--resize', '28'], /--resize .*HEIGHTxWIDTH/],
    ['a side of nothing', ['--resize', '0x28'], /sides of 1 to 4096/],
    ['a side that is too long', ['--resize', '28x4097'], /sides of 1 to 4096/],
    ['channels that are neither grey nor RGB', ['--channels', '2'], /--channels .*Allowed choices are 1, 3/],
    ['another background', ['--alpha', 'pink'], /--alpha .*Allowed choices are refuse, white, black/],
    ['other axes', ['--layout', 'HWCN'], /--layout .*Allowed choices are NHWC, NCHW/],
  ])('%s is refused', async (_what, flags, says) => {
    const { exitCode, stderr } = await describeIt(...flags);
    expect(stderr).toMatch(says);
    expect(exitCode).toBe(2);
  });

  it('Ctrl-C - ends the reading', async () => {
    await mkdir(at('many'));
    await photo(at('many', '0.png'), 1000, 1000, '#ff0000');
    for (let n = 1; n < 400; n++) await link(at('many', '0.png'), at('many', `${n}.png`));
    const stop = new AbortController();
    const output = { stdout: () => undefined, stderr: () => undefined, interactive: false };
    const command = datasetCommand({
      output,
      overrides: [],
      interrupt: stop.signal,
      setExitCode: () => undefined,
    });
    const argv = ['dataset', 'describe', at('many'), '--resize', '8x8'];
    const ended = new Command().addCommand(command).parseAsync(argv, { from: 'user' });
    ended.catch(() => undefined);
    await waitFor('pictures being read', () => sharp.counters().process > 0);
    stop.abort();
    await expect(ended).rejects.toMatchObject({ name: 'AbortError' });
  });
});
