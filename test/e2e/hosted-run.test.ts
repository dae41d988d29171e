import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { UsageLine__Output } from '@bbdistill/common/gen/bbdistill/v1/UsageLine.js';
import { describe, expect, it } from 'vitest';
import { startHostedTeacher } from '../helpers/hosted-teacher.js';
import type { HostedHandler } from '../helpers/hosted-teacher.js';
import { writeTinyFolder } from '../helpers/png-folder.js';
import { runCli } from '../helpers/run-cli.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';

const REAL = 40;
const CLASSES = ['cat', 'dog', 'bird'];

const LABELS = { cat: 0, dog: 1, bird: 2, tree: null };

const label = (name: string, score: number) => ({ label: name, score });

/** Every fifth image it doesn't know, every fifth it takes half for what is no class of the student. */
function opinion(call: number) {
  if (call % 5 === 0) return [label('unknown', 0.9)];
  if (call % 5 === 1) return [label('cat', 0.5), label('tree', 0.5)];
  return [label(CLASSES[call % 3]!, 0.9)];
}

async function hosted(handler: HostedHandler, labels: Record<string, number | null> = LABELS) {
  const folder = await temporaryFolder();
  const teacher = await startHostedTeacher(handler);
  const images = join(folder.path, 'images');
  const tokenFile = join(folder.path, 'token');
  await writeTinyFolder(images, REAL, CLASSES.length, 1);
  await writeFile(tokenFile, 'first');
  const file = join(folder.path, 'run.yaml');
  const settings = {
    teachers: {
      pets: {
        adapter: 'http-json',
        preset: 'label-score',
        url: `${teacher.url}/models/pets`,
        answer: { labels, abstain: ['unknown'] },
        auth: { file: tokenFile },
        limits: { concurrency: 2 },
        price: { perImage: 0.01 },
      },
    },
    run: {
      images: { path: images },
      classes: CLASSES.length,
      synthesis: { images: 0 },
      student: { network: 'lenet5-half', recipe: 'paper', epochs: 1, batch: 8 },
      engine: 'wasm',
      seed: 1,
    },
  };
  await writeFile(file, JSON.stringify(settings));
  const cli = (...args: string[]) => runCli(...args, '--state', join(folder.path, 'state'));
  return {
    teacher,
    renewToken: (token: string) => writeFile(tokenFile, token),
    cli,
    file,
    mend: async (from: string, to: string) => writeFile(file, (await readFile(file, 'utf8')).replaceAll(from, to)),
    run: () => cli('run', file, '--out', join(folder.path, 'out')),
    async usage() {
      const lines = JSON.parse((await cli('usage', '--json')).stdout) as UsageLine__Output[];
      const [line, ...others] = lines;
      expect(others).toEqual([]);
      const counts = line!.counts!;
      const { asked, reasked, cached, coalesced, billed, failed, unresolved, settled, unknown } = counts;
      expect(asked + reasked).toBe(cached + coalesced + billed + failed + unresolved);
      expect(billed).toBe(settled + unknown);
      return { ...counts, costMicros: line!.costMicros };
    },
    async [Symbol.asyncDispose]() {
      await teacher[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

describe('a hosted teacher', () => {
  it('abstains, and names what is no class - the run succeeds, and usage says of how many images', async () => {
    let calls = 0;
    await using there = await hosted(() => ({ body: opinion(calls++) }));
    const { exitCode, stderr } = await there.run();
    expect(stderr).toContain('no usable answer for 8 of 40 images');
    expect(exitCode).toBe(0);
    expect(calls).toBe(REAL);
    expect(await there.usage()).toMatchObject({ asked: REAL, billed: REAL, costMicros: REAL * 10_000, failed: 0 });
    expect(await there.usage()).toMatchObject({ abstained: REAL / 5, dropped: REAL / 5, completed: (3 * REAL) / 5 });
    const { stdout } = await there.cli('usage');
    const [head, row] = stdout.split('\n').map((line) => line.split(/ {2,}/));
    const shown = Object.fromEntries(head!.map((column, at) => [column, row![at]]));
    expect(shown).toMatchObject({ phase: 'seeds', billed: '40', abstained: '8', dropped: '8', completed: '24' });
  });

  it('wants another secret in the middle - the run stops and says so; with the new secret in its file it goes on', async () => {
    const good = 15;
    let answered = 0;
    let turnedAway = 0;
    await using there = await hosted(({ headers }) => {
      if (headers.authorization !== (answered < good ? 'first' : 'second')) {
        turnedAway++;
        return { status: 401, body: { error: 'token expired' } };
      }
      answered++;
      return { body: [label(CLASSES[answered % 3]!, 0.9)] };
    });
    const stopped = await there.run();
    expect(stopped.exitCode).toBe(3);
    expect(stopped.stderr).toMatch(/token expired.*renew the secret that auth names.*resume/);
    expect(answered).toBe(good);
    // What was under way when the first was turned away, and nothing after it.
    expect(turnedAway).toBeLessThanOrEqual(2);
    expect(await there.usage()).toMatchObject({ asked: REAL, billed: good, unresolved: REAL - good });

    await there.renewToken('second');
    const id = /bbdistill resume ([0-9a-f]+)/.exec(stopped.stderr)![1]!;
    expect((await there.cli('resume', id)).exitCode).toBe(0);
    expect(answered).toBe(REAL);
    expect(await there.usage()).toMatchObject({ asked: REAL, billed: REAL, unresolved: 0, costMicros: REAL * 10_000 });
  });

  it('is read by wrong settings - the run goes on with the mended file, and nothing is paid twice', async () => {
    let calls = 0;
    const body = () => [label(CLASSES[calls++ % 3]!, 0.9)];
    await using there = await hosted(() => ({ body: body() }), { Cat: 0, Dog: 1, Bird: 2 });
    const failed = await there.run();
    expect(failed.exitCode).toBe(3);
    expect(failed.stderr).toMatch(/TEACHER_ANSWERS_UNUSABLE/);
    const id = /bbdistill resume ([0-9a-f]+)/.exec(failed.stderr)![1]!;
    const again = await there.cli('resume', id);
    expect(again.stderr).toMatch(/bbdistill resume RUN FILE/);
    const paid = calls;
    expect((await there.usage()).billed).toBe(paid);
    for (const name of CLASSES) await there.mend(`"${name[0]!.toUpperCase()}${name.slice(1)}"`, `"${name}"`);
    const resumed = await there.cli('resume', id, there.file);
    expect(resumed.stderr).toMatch(new RegExp(`run ${id} goes on`));
    expect(resumed.exitCode).toBe(0);
    expect(calls).toBe(REAL);
    expect(await there.usage()).toMatchObject({ asked: REAL, billed: REAL });
  });
});
