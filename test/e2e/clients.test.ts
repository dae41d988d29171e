import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectDistillation } from '@bbdistill/client';
import { bearerToken, silentLogger } from '@bbdistill/common';
import { parseTeacherConfig } from '@bbdistill/teacher-proxy';
import { startEmbedded } from '../../services/cli/src/embedded.js';
import type { Embedded } from '../../services/cli/src/embedded.js';
import { TestAuthority } from '../helpers/certificates.js';
import { startChild } from '../helpers/child.js';
import { describeWithPythonGrpc } from '../helpers/python-grpc.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import type { TemporaryFolder } from '../helpers/temporary-folder.js';
import { tinyImages } from '../helpers/tiny-images.js';

const EXAMPLES = fileURLToPath(new URL('../../deploy/examples/clients', import.meta.url));
const TSX = fileURLToPath(import.meta.resolve('tsx'));
const TOKEN = 'a token of the test';
const CLASSES = 4;
const END_MS = 90_000;

let folder: TemporaryFolder;
let embedded: Embedded;
let args: string[];
let env: Record<string, string>;

beforeAll(async () => {
  folder = await temporaryFolder();
  const authority = new TestAuthority(folder.path);
  embedded = await startEmbedded({
    stateFolder: join(folder.path, 'state'),
    teachers: [parseTeacherConfig('fake', { adapter: 'fake', fake: { classes: CLASSES } })],
    engine: 'wasm',
    gpu: 'never',
    logger: silentLogger,
    listen: { address: '127.0.0.1:0', auth: bearerToken(TOKEN), tls: authority.issue('orchestrator') },
  });
  const { pixels, shape } = tinyImages(40, CLASSES, 1);
  const imagesFile = join(folder.path, 'images.raw');
  await writeFile(imagesFile, pixels);
  const size = `${shape.height}x${shape.width}x${shape.channels}`;
  args = [embedded.orchestratorAddress, 'fake', imagesFile, size, join(EXAMPLES, 'run-spec.json')];
  env = { BBDISTILL_TOKEN: TOKEN, BBDISTILL_CA_FILE: authority.caFile };
});
afterAll(async () => {
  await embedded.stop();
  await folder[Symbol.asyncDispose]();
});

/** What the example printed, after its end in order. */
async function linesOf(command: string, words: readonly string[]): Promise<string[]> {
  await using child = startChild(command, words, { env });
  const timer = setTimeout(() => void child[Symbol.asyncDispose](), END_MS);
  const code = await child.ended.finally(() => clearTimeout(timer));
  expect(code, child.errorOutput()).toBe(0);
  return [...child.lines];
}

async function expectStudent(lines: readonly string[], out: string): Promise<void> {
  expect(lines[0]).toMatch(/^run [0-9a-f]{12}$/);
  expect(lines.some((line) => / train /.test(line))).toBe(true);
  expect(lines.some((line) => line.endsWith(' RUN_STATE_SUCCEEDED'))).toBe(true);
  const report = JSON.parse(await readFile(join(out, 'report.json'), 'utf8')) as { queries: { asked: number } };
  expect(report.queries.asked).toBe(100);
  expect((await readFile(join(out, 'student/model.onnx'))).length).toBeGreaterThan(1_000);
}

describe('the example in TypeScript', () => {
  it('client - uploads, runs, watches and downloads over TLS with a token; again, it is the same run', async () => {
    const out = join(folder.path, 'typescript');
    const words = ['--import', TSX, join(EXAMPLES, 'distill.ts'), ...args, out];
    const first = await linesOf(process.execPath, words);
    await expectStudent(first, out);
    const again = await linesOf(process.execPath, words);
    expect(again[0]).toBe(first[0]);
    expect(again.filter((line) => / train /.test(line))).toEqual(first.filter((line) => / train /.test(line)));
  });
});

describeWithPythonGrpc('the example in Python', (python) => {
  it('client - does the same with stubs that Python generates from proto/', async () => {
    const out = join(folder.path, 'python');
    await expectStudent(await linesOf(python, [join(EXAMPLES, 'distill.py'), ...args, out]), out);
  });
});

describe('the client package', () => {
  const connected = (over: object = {}) =>
    connectDistillation({
      address: embedded.orchestratorAddress,
      token: TOKEN,
      tls: { caFile: env['BBDISTILL_CA_FILE']! },
      ...over,
    });

  it('client - says by code and message what is wrong', async () => {
    const client = await connected();
    await expect(client.getRun('none')).rejects.toMatchObject({ kind: 'not-found' });
    await expect(client.watchRun('none').next()).rejects.toMatchObject({ kind: 'not-found' });
    await expect(client.createRun({ teacher: 'fake' })).rejects.toMatchObject({ kind: 'invalid-argument' });
    client.close();
    const stranger = await connected({ token: 'another token' });
    await expect(stranger.listRuns()).rejects.toMatchObject({ kind: 'unauthenticated' });
    stranger.close();
    const nobody = connectDistillation({ address: '127.0.0.1:1', connectTimeoutMs: 100 });
    await expect(nobody).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it('client - lists, tells what was paid, and deletes a run that is over', async () => {
    const client = await connected();
    const [run] = await client.listRuns(1);
    const lines = await client.usage('fake', run!.id);
    expect(lines.reduce((sum, { counts }) => sum + (counts?.asked ?? 0), 0)).toBe(100);
    const ended = await client.waitForRun(run!.id);
    expect(ended.state).toBe('RUN_STATE_SUCCEEDED');
    expect((await client.download(run!.id, 'student/manifest.json')).toString()).toContain('lenet5-half');
    await client.deleteRun(run!.id);
    await expect(client.getRun(run!.id)).rejects.toMatchObject({ kind: 'not-found' });
    client.close();
  });
});
