import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { connectDistillation } from '@bbdistill/client';
import type { DistillationClient } from '@bbdistill/client';
import { bearerToken, silentLogger } from '@bbdistill/common';
import { parseTeacherConfig } from '@bbdistill/teacher-proxy';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startEmbedded } from '../../services/cli/src/embedded.js';
import type { Embedded } from '../../services/cli/src/embedded.js';
import { startChild } from '../helpers/child.js';
import type { Child } from '../helpers/child.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import type { TemporaryFolder } from '../helpers/temporary-folder.js';
import { tinyImages } from '../helpers/tiny-images.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const example = join(root, 'deploy/examples/api');
const TOKEN = 'api-token';
const CLASSES = 3;
const REAL = 30;
const SYNTHETIC = 40;
const END_MS = 90_000;

let folder: TemporaryFolder;
let embedded: Embedded;
let client: DistillationClient;
const at = (name: string) => join(folder.path, name);

beforeAll(async () => {
  folder = await temporaryFolder();
  embedded = await startEmbedded({
    stateFolder: at('state'),
    teachers: [
      parseTeacherConfig('metered', { adapter: 'fake', fake: { classes: CLASSES } }),
      parseTeacherConfig('slow', { adapter: 'fake', fake: { classes: CLASSES, seed: 2, latencyMs: END_MS } }),
    ],
    engine: 'wasm',
    gpu: 'never',
    logger: silentLogger,
    listen: { address: '127.0.0.1:0', auth: bearerToken(TOKEN) },
  });
  client = await connectDistillation({ address: embedded.orchestratorAddress, token: TOKEN });
});
afterAll(async () => {
  client.close();
  await embedded.stop();
  await folder[Symbol.asyncDispose]();
});

/** The example's own spec, but small. */
function writeSpec(name: string, over: { teacher?: string; budget?: { images: number } }): string {
  const spec = JSON.parse(readFileSync(join(example, 'spec.json'), 'utf8')) as {
    synthesis: { cvae: object };
    student: { recipe: object };
  };
  const { synthesis, student } = spec;
  const small = {
    classes: CLASSES,
    synthesis: { ...synthesis, images: SYNTHETIC, cvae: { ...synthesis.cvae, epochs: 1 } },
    student: { ...student, recipe: { ...student.recipe, epochs: 1 } },
  };
  writeFileSync(at(name), JSON.stringify({ ...spec, ...small, ...over }));
  return at(name);
}

/** The same pixels are the same data set, and so the same run. */
function writePixels(name: string, pixels: Uint8Array): string {
  writeFileSync(at(name), pixels);
  return at(name);
}

function startExample(...args: string[]): Child {
  const words = ['--import', 'tsx', join(example, 'run.ts'), embedded.orchestratorAddress, ...args];
  return startChild(process.execPath, words, { cwd: root, env: { BBDISTILL_TOKEN: TOKEN } });
}

async function endOf(child: Child): Promise<number | NodeJS.Signals> {
  const timer = setTimeout(() => child.kill(), END_MS);
  return child.ended.finally(() => clearTimeout(timer));
}

it('the TypeScript example goes from raw images to a student by the API alone', async () => {
  const student = at('student.onnx');
  await using run = startExample(
    writeSpec('spec.json', {}),
    writePixels('images.bin', tinyImages(REAL).pixels),
    '12x12x1',
    student,
  );
  expect(await endOf(run), run.errorOutput()).toBe(0);
  expect(run.lines[0]).toMatch(/^at most 70 images in \d+ calls$/);
  expect(run.lines.some((line) => line.startsWith('train JOB_STATE_SUCCEEDED'))).toBe(true);
  expect(statSync(student).size).toBeGreaterThan(1_000);
});

it('the example ends with a run that failed, and with the same run once that was resumed', async () => {
  const student = at('resumed.onnx');
  const spec = writeSpec('short.json', { budget: { images: REAL + 10 } });
  const args = [spec, writePixels('short.bin', tinyImages(REAL, CLASSES, 2).pixels), '12x12x1', student];
  await using short = startExample(...args);
  expect(await endOf(short)).toBe(1);
  expect(short.errorOutput()).toMatch(/RUN_STATE_BUDGET_EXHAUSTED: .*budget/);
  expect(existsSync(student)).toBe(false);
  const [run] = await client.listRuns(1);
  await client.resumeRun(run!.id, { images: REAL + SYNTHETIC });
  await using again = startExample(...args);
  expect(await endOf(again), again.errorOutput()).toBe(0);
  expect(statSync(student).size).toBeGreaterThan(1_000);
});

it('the example says so where its run was cancelled', async () => {
  const spec = writeSpec('slow.json', { teacher: 'slow' });
  const pixels = writePixels('slow.bin', tinyImages(REAL, CLASSES, 3).pixels);
  await using run = startExample(spec, pixels, '12x12x1', at('none.onnx'));
  await run.line(/^label/, END_MS);
  const [under] = await client.listRuns(1);
  await client.cancelRun(under!.id);
  expect(await endOf(run)).toBe(1);
  expect(run.errorOutput()).toMatch(/RUN_STATE_CANCELLED/);
});

it('the example sends images that are larger than its pieces', async () => {
  const spec = writeSpec('large.json', {});
  const pixels = writePixels('large.bin', new Uint8Array(2 * 1024 * 1024 * 3));
  await using run = startExample(spec, pixels, '1024x1024x3', at('none.onnx'));
  expect(await endOf(run)).toBe(1);
  // They arrived, and only the student can't be as large.
  expect(run.errorOutput()).toMatch(/NETWORK_TOO_LARGE/);
});

it('the example says in one line what a call was refused for', async () => {
  const spec = writeSpec('unknown.json', { teacher: 'nobody' });
  await using run = startExample(spec, writePixels('some.bin', tinyImages(REAL).pixels), '12x12x1', at('none.onnx'));
  expect(await endOf(run)).toBe(1);
  expect(run.errorOutput().trim()).toMatch(/^[A-Z_]+: [^\n]*"nobody"[^\n]* \([A-Z_]+\)$/);
});
