import { chmod, mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Report } from '@bbdistill/orchestrator';
import { networkFromTopology, topologyOf } from '@bbdistill/compute';
import { TINY_SHAPE } from '../helpers/tiny-images.js';
import { writeTinyFolder } from '../helpers/png-folder.js';
import { runCli } from '../helpers/run-cli.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import type { TemporaryFolder } from '../helpers/temporary-folder.js';

const REAL = 30;
const SYNTHETIC = 90;

let folder: TemporaryFolder;
beforeAll(async () => {
  folder = await temporaryFolder();
  await writeTinyFolder(join(folder.path, 'real'), REAL, 3, 1);
  await writeTinyFolder(join(folder.path, 'test'), 24, 3, 2);
  await writeFile(join(folder.path, 'run.yaml'), RUN_FILE);
});
afterAll(() => folder[Symbol.asyncDispose]());

const RUN_FILE = `
teachers:
  fake: { adapter: fake, fake: { classes: 3 } }
run:
  name: tiny
  images: { path: real }
  test: { path: test, labels: folder }
  classes: 3
  synthesis: { images: ${SYNTHETIC}, cvae: { epochs: 3, batch: 16 } }
  student: { network: lenet5-half, recipe: paper, epochs: 2, batch: 16 }
  evaluation: { teacherImages: 24, standardKd: true }
  budget: { images: 200 }
  engine: wasm
`;

const bbdistill = (command: string, ...args: string[]) =>
  runCli(command, ...args, '--state', join(folder.path, 'state'));

async function run(out: string, ...flags: string[]): Promise<{ report: Report; stdout: string; stderr: string }> {
  const result = await bbdistill('run', join(folder.path, 'run.yaml'), '--out', join(folder.path, out), ...flags);
  expect(result.stderr + result.stdout).not.toContain('bbdistill:');
  expect(result.exitCode).toBe(0);
  const report = JSON.parse(await readFile(join(folder.path, out, 'report.json'), 'utf8')) as Report;
  return { report, ...result };
}

describe('an embedded run', () => {
  it('labels, synthesises, trains, evaluates and exports', async () => {
    const { report, stdout } = await run('first');
    expect(report.run.status).toBe('succeeded');
    expect(report.queries.asked).toBe(REAL + SYNTHETIC);
    expect(report.queries.billed + report.queries.coalesced).toBe(REAL + SYNTHETIC);
    expect(report.queries.byPhase.mixup.asked + report.queries.byPhase.cvae.asked).toBe(SYNTHETIC);
    expect(report.queries.evaluation.asked).toBe(24);
    expect(report.agreementWithTeacher).toBeGreaterThanOrEqual(0);
    expect(report.baselines.standardKd?.accuracy).toBeTypeOf('number');
    expect(stdout).toContain('report.html');
    const written = await readdir(join(folder.path, 'first'), { recursive: true });
    for (const file of [
      'report.json',
      'report.html',
      'samples.png',
      'curves.png',
      'confusion.png',
      'student/model.json',
      'student/model.onnx',
      'student/manifest.json',
      'student/soft-labels.jsonl',
    ]) {
      expect(written).toContain(file);
    }
    const lines = (await readFile(join(folder.path, 'first/student/soft-labels.jsonl'), 'utf8')).trim().split('\n');
    expect(lines).toHaveLength(REAL + SYNTHETIC);
  });

  it('pays nothing when the same run is made again, and gives the same student', async () => {
    const { report } = await run('again');
    expect(report.queries.billed).toBe(0);
    expect(report.queries.asked).toBe(REAL + SYNTHETIC);
    const student = (out: string) => readFile(join(folder.path, out, 'student/model.onnx'));
    expect((await student('again')).equals(await student('first'))).toBe(true);
  });

  it('pays only for what is new with fewer synthetic images or another student', async () => {
    const fewer = await run('fewer', '--run.synthesis.images', '40');
    expect(fewer.report.queries.asked).toBe(REAL + 40);
    expect(fewer.report.queries.billed).toBe(0);
    const other = await run('other', '--run.student.network=lenet5');
    expect(other.report.student.network).toBe('lenet5');
    expect(other.report.queries.billed).toBe(0);
  });

  it('without test images - measures itself by those that are held out', async () => {
    await writeFile(join(folder.path, 'untested.yaml'), RUN_FILE.replace(/ {2}test:.*\n| {2}evaluation:.*\n/g, ''));
    const runIt = async (...flags: string[]) => {
      const result = await bbdistill(
        'run',
        join(folder.path, 'untested.yaml'),
        '--run.synthesis.images',
        '20',
        ...flags,
      );
      expect(result.exitCode).toBe(0);
      const report = JSON.parse(await readFile(join(folder.path, 'out/report.json'), 'utf8')) as Report;
      return { report, stderr: result.stderr };
    };
    const unmeasured = await runIt();
    expect(unmeasured.stderr).toContain(`--run.evaluation.holdOut ${REAL / 10} `);
    expect(unmeasured.report.agreementWithTeacher).toBeNull();
    const { report, stderr } = await runIt('--run.evaluation.holdOut', '6');
    expect(stderr).not.toContain('no test images');
    expect(report.agreementWithTeacher).toBeGreaterThanOrEqual(0);
    // The run before asked about them as seeds.
    expect(report.queries.evaluation).toMatchObject({ asked: 6, billed: 0 });
  });

  it('ends BudgetExhausted with a budget below the need, and goes on with more', async () => {
    const flags = ['--run.seed', '7', '--run.budget.images', '60'];
    const short = await bbdistill('run', join(folder.path, 'run.yaml'), '--out', join(folder.path, 'short'), ...flags);
    expect(short.exitCode).toBe(4);
    expect(short.stderr).toMatch(/note: the budget ends it after 60 of up to \d+ images, before there is a student/);
    const [, id, enough] = /to go on: bbdistill resume ([0-9a-f]+) --budget-images (\d+)/.exec(
      short.stderr,
    )! as unknown as string[];
    const usage = await bbdistill('usage', '--run', id!, '--json');
    const billed = (JSON.parse(usage.stdout) as { counts: { billed: number } }[]).map(({ counts }) => counts.billed);
    expect(billed.reduce((sum, count) => sum + count, 0)).toBeLessThanOrEqual(60);
    const resumed = await bbdistill('resume', id!, '--budget-images', enough!);
    expect(resumed.exitCode).toBe(0);
    const report = JSON.parse(await readFile(join(folder.path, 'short/report.json'), 'utf8')) as Report;
    expect(report.queries.asked).toBe(REAL + SYNTHETIC);
    const { cached, coalesced, billed: paid, failed, unresolved } = report.queries;
    expect(cached + coalesced + paid + failed + unresolved).toBe(REAL + SYNTHETIC);
  });

  it('plans without spending, lists runs and prints the report again', async () => {
    const plan = await bbdistill('plan', join(folder.path, 'run.yaml'), '--json', '--run.seed', '99');
    expect(JSON.parse(plan.stdout)).toMatchObject({ images: SYNTHETIC, knownCached: REAL, withinBudget: true });
    const unknown = await bbdistill('usage', '--run', 'abc');
    const named = await bbdistill('report', 'my first run');
    expect(named).toMatchObject({ exitCode: 2, stderr: unknown.stderr.replace('"abc"', '"my first run"') });
    expect(unknown.stderr).toContain('there is no run "abc": ListRuns (bbdistill runs) lists them');
    expect(unknown.exitCode).toBe(2);
    const runs = JSON.parse((await bbdistill('runs', '--json')).stdout) as { id: string; state: string }[];
    const done = runs.find(({ state }) => state === 'RUN_STATE_SUCCEEDED')!;
    const report = await bbdistill('report', done.id, '--json');
    expect((JSON.parse(report.stdout) as Report).run.id).toBe(done.id);
  });
});

describe('a network of the user', () => {
  const layer = (className: string, config: object) => ({ class_name: className, config });
  // Pictures come in colour.
  const channels = 3;
  const input = { batch_input_shape: [null, TINY_SHAPE.height, TINY_SHAPE.width, channels] };
  const model = (hidden: object) => ({
    modelTopology: {
      class_name: 'Sequential',
      config: {
        name: 'mine',
        layers: [
          layer('Flatten', { name: 'flat', ...input }),
          hidden,
          layer('Dense', { name: 'out', units: 3, activation: 'softmax' }),
        ],
      },
    },
    weightsManifest: [],
  });
  const runIt = async (out: string, hidden: object) => {
    await writeFile(join(folder.path, 'model.json'), JSON.stringify(model(hidden)));
    const file = RUN_FILE.replace('network: lenet5-half', 'topology: model.json, emaDecay: 0.9');
    await writeFile(join(folder.path, 'own.yaml'), file);
    return bbdistill('run', join(folder.path, 'own.yaml'), '--out', join(folder.path, out));
  };

  it('is trained, evaluated and exported', async () => {
    const { exitCode, stderr } = await runIt('own', layer('Dense', { name: 'hidden', units: 9, activation: 'relu' }));
    expect(stderr).not.toContain('bbdistill:');
    expect(exitCode).toBe(0);
    const report = JSON.parse(await readFile(join(folder.path, 'own/report.json'), 'utf8')) as Report;
    const pixels = TINY_SHAPE.height * TINY_SHAPE.width * channels;
    expect(report.student).toMatchObject({ network: 'mine', parameters: pixels * 9 + 9 + 9 * 3 + 3 });
    const exported = await readFile(join(folder.path, 'own/student/model.json'), 'utf8');
    expect(networkFromTopology(topologyOf(exported))).toMatchObject({ name: 'mine', classes: 3 });
  });

  it('is refused by the name of a layer that nobody knows, before anything is asked', async () => {
    const { exitCode, stderr } = await runIt('unknown', layer('GRU', { name: 'memory', units: 9 }));
    expect(stderr).toMatch(/model\.json can't be taken: student\.topology, layer 'memory' \(GRU\)/);
    expect(exitCode).toBe(2);
  });
});

describe('wrong input', () => {
  const refused = async (expected: RegExp, ...flags: string[]) => {
    const result = await bbdistill('run', join(folder.path, 'run.yaml'), '--out', join(folder.path, 'bad'), ...flags);
    expect(result.stderr).toMatch(expected);
    // What the run may cost isn't asked of a run that can't be made.
    expect(result.stderr).not.toContain('could not be found out');
    expect(result.exitCode).toBe(2);
  };

  it('a budget smaller than the number of images is refused before anything is asked', () =>
    refused(
      /budget.images is 5/,
      '--run.seed',
      '3',
      '--run.budget.images',
      '5',
      '--teachers.fake.cacheIdentity',
      'new',
    ));

  it('an unknown key is refused with the nearest known one', () =>
    refused(/run\.student\.netwrok is not known\. Did you mean "network"/, '--run.student.netwrok', 'lenet5'));

  it('fewer declared classes than the test images have are refused', () =>
    refused(/label 2 and run.classes is 2/, '--run.classes', '2'));

  it('an empty folder of images is refused', async () => {
    await mkdir(join(folder.path, 'empty'), { recursive: true });
    await refused(/empty/, '--run.images.path', 'empty');
  });

  it('an unknown network is refused with the known ones', () =>
    refused(/lenet5-half/, '--run.student.network', 'lenet6'));

  it('an output folder that can not be written to is refused before anything is spent', async () => {
    const blocker = join(folder.path, 'a-file');
    await writeFile(blocker, '');
    await chmod(blocker, 0o600);
    const result = await bbdistill('run', join(folder.path, 'run.yaml'), '--out', join(blocker, 'out'));
    expect(result.stderr).toMatch(/cannot write to the output folder/);
    expect(result.exitCode).toBe(2);
  });
});
