import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Report } from '@bbdistill/orchestrator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startChild } from '../helpers/child.js';
import { writeTinyFolder } from '../helpers/png-folder.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import type { TemporaryFolder } from '../helpers/temporary-folder.js';

const BBDISTILL = fileURLToPath(new URL('../../services/cli/bin/bbdistill.js', import.meta.url));
const TOKEN = 'a-token-that-nobody-guesses';
const START_TIMEOUT_MS = 30_000;
const RUN_TIMEOUT_MS = 90_000;
const REAL = 20;
const SYNTHETIC = 40;

const TEACHERS_FILE = `
teachers:
  metered: { adapter: fake, fake: { classes: 3, latencyMs: 50 }, limits: { imagesPerCall: 4, concurrency: 1 } }
`;
const RUN_FILE = `
run:
  teacher: metered
  images: { path: real }
  classes: 3
  synthesis: { images: ${SYNTHETIC}, cvae: { epochs: 1, batch: 16 } }
  student: { network: lenet5-half, recipe: paper, epochs: 1, batch: 16 }
  budget: { images: 100 }
`;

let folder: TemporaryFolder;
beforeAll(async () => {
  folder = await temporaryFolder();
  await writeTinyFolder(join(folder.path, 'real'), REAL, 3, 1);
  await writeFile(join(folder.path, 'teachers.yaml'), TEACHERS_FILE);
  await writeFile(join(folder.path, 'run.yaml'), RUN_FILE);
  await writeFile(join(folder.path, 'own-teachers.yaml'), `${TEACHERS_FILE}${RUN_FILE}`);
});
afterAll(() => folder[Symbol.asyncDispose]());

const bbdistill = (...args: string[]) =>
  startChild(process.execPath, [BBDISTILL, ...args], { cwd: folder.path, env: { BBDISTILL_TOKEN: TOKEN } });

async function serveAll(listen: string) {
  const child = bbdistill('serve', 'all', '--listen', listen, '--teachers', 'teachers.yaml', '--json');
  const [line] = await child.line(/^\{"service":"all".*\}$/, START_TIMEOUT_MS);
  return { child, address: (JSON.parse(line) as { address: string }).address };
}

describe('all services in one process, used from another', () => {
  it('serve - refuses strangers, does the run of another process, goes on with it after a restart', async () => {
    const first = await serveAll('127.0.0.1:0');
    await using firstServer = first.child;
    const { address } = first;

    await using own = bbdistill('run', 'own-teachers.yaml', '--orchestrator', address);
    await using stranger = bbdistill('run', 'run.yaml', '--orchestrator', address);
    expect(await own.ended).toBe(2);
    expect(own.errorOutput()).toMatch(/take the teachers block out/);
    expect(await stranger.ended).not.toBe(0);
    expect(stranger.errorOutput()).toMatch(/no bearer token/);

    const remote = ['--orchestrator', address, '--token-env', 'BBDISTILL_TOKEN', '--out', 'out'];
    await using run = bbdistill('run', 'run.yaml', ...remote, '--json');
    await run.line(/label/, RUN_TIMEOUT_MS);
    firstServer.kill('SIGINT');
    expect(await firstServer.ended).toBe(0);
    expect(firstServer.errorOutput()).not.toContain(TOKEN);
    await using _second = (await serveAll(address)).child;

    expect(await run.ended, run.errorOutput()).toBe(0);
    expect(run.lines.join('\n')).toMatch(/epoch 2/);
    const report = JSON.parse(await readFile(join(folder.path, 'out/report.json'), 'utf8')) as Report;
    expect(report.run.status).toBe('succeeded');
    expect(report.queries.asked).toBe(REAL + SYNTHETIC);
    const { cached, coalesced, billed, unknown } = report.queries;
    expect(cached + coalesced + billed).toBe(REAL + SYNTHETIC);
    expect(unknown).toBe(0);
  });
});
