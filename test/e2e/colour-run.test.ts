import { readFile, writeFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { RandomStream } from '@bbdistill/common';
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Report } from '@bbdistill/orchestrator';
import { runCli } from '../helpers/run-cli.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import type { TemporaryFolder } from '../helpers/temporary-folder.js';

// CIFAR itself can't be had everywhere, so its files are made: a class is a colour and a half of the image.

const REAL = 16;
const SYNTHETIC = 24;
const PIXELS = 32 * 32;

let folder: TemporaryFolder;
beforeAll(async () => {
  folder = await temporaryFolder();
  for (const [name, count] of [
    ['real', REAL],
    ['test', 12],
  ] as const) {
    await mkdir(join(folder.path, name));
    await writeFile(join(folder.path, name, 'data_batch_1.bin'), cifarFile(count, name));
  }
});
afterAll(() => folder[Symbol.asyncDispose]());

/** One label byte, then the planes of red, green and blue, for every image. */
function cifarFile(count: number, purpose: string): Uint8Array {
  const random = new RandomStream(1, purpose);
  const file = new Uint8Array(count * (1 + 3 * PIXELS));
  for (let n = 0; n < count; n++) {
    const label = n % 4;
    const at = n * (1 + 3 * PIXELS);
    file[at] = label;
    for (let i = 0; i < 3 * PIXELS; i++) {
      const isLit = Math.floor(i / PIXELS) === label % 3 && i % PIXELS < PIXELS / 2 === label < 2;
      file[at + 1 + i] = (isLit ? 180 : 30) + random.integer(40);
    }
  }
  return file;
}

async function runOf(network: string): Promise<Report> {
  const out = join(folder.path, network);
  const file = join(folder.path, `${network}.yaml`);
  await writeFile(
    file,
    `
teachers:
  fake: { adapter: fake, fake: { classes: 4 } }
run:
  name: ${network}
  images: { path: real, format: cifar }
  test: { path: test, format: cifar }
  classes: 4
  synthesis: { images: ${SYNTHETIC}, shares: { mixup: 1, cvae: 1 }, cvae: { epochs: 2, batch: 16 } }
  student: { network: ${network}, recipe: paper, epochs: 2, batch: 8, schedule: step, flip: true }
  budget: { images: 100 }
  engine: wasm
  out: ${out}
`,
  );
  const result = await runCli('run', file, '--state', join(folder.path, 'state'));
  expect(result.stderr).not.toContain('bbdistill:');
  expect(result.exitCode).toBe(0);
  return JSON.parse(await readFile(join(out, 'report.json'), 'utf8')) as Report;
}

describe('a run on colour images', () => {
  it.each([
    ['alexnet-half', 4],
    ['resnet20', 4],
  ])('fits the convolutional CVAE, trains %s and exports it', async (network, classes) => {
    const report = await runOf(network);
    expect(report.run.status).toBe('succeeded');
    expect(report.queries.asked).toBe(REAL + SYNTHETIC);
    expect(report.queries.byPhase.cvae.asked).toBeGreaterThan(0);
    expect(report.student.network).toBe(network);
    expect(report.accuracy).toBeGreaterThanOrEqual(0);
    const session = await ort.InferenceSession.create(join(folder.path, network, 'student/model.onnx'));
    const images = new ort.Tensor('float32', new Float32Array(3 * PIXELS).fill(0.5), [1, 32, 32, 3]);
    const { probabilities } = await session.run({ images });
    const answers = Array.from(probabilities!.data as Float32Array);
    expect(answers).toHaveLength(classes);
    expect(answers.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
  });
});
