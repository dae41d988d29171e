// The paper's whole Fashion-MNIST recipe by us (`bbdistill reproduce`, every cache empty) and by a straightforward
// PyTorch script, by turns: wall time, CPU time, peak memory (the system's own high-water mark of the process until its
// end, pages of mapped files included).
//   npm run bench:recipe -- --teacher FILE.onnx [--data DIR] [--peer PYTHON] [--turns N] [--synthetic M] [--threads T]
//                           [--engine NAME] [--json FILE]
// Ours also trains standard KD and asks about the 10 000 test images, which the script doesn't.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const DEBIAN_DATA = '/usr/share/datasets/fashion-mnist';
const TICKS_PER_SECOND = 100;
const LOOK_EVERY_MS = 50;
const BYTES_PER_KIB = 1024;

const { values } = parseArgs({
  options: {
    teacher: { type: 'string' },
    data: { type: 'string', default: DEBIAN_DATA },
    peer: { type: 'string' },
    turns: { type: 'string', default: '1' },
    synthetic: { type: 'string', default: '48000' },
    threads: { type: 'string', default: '2' },
    engine: { type: 'string', default: 'auto' },
    json: { type: 'string' },
  },
});
const say = (line: string) => process.stdout.write(`${line}\n`);
const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

interface Turn {
  who: string;
  wallSeconds: number;
  cpuSeconds: number;
  peakRssBytes: number;
  accuracy: number;
  seconds: Record<string, number>;
}

type Figures = Pick<Turn, 'accuracy' | 'seconds'>;

const { teacher } = values;
if (teacher === undefined || !existsSync(teacher)) {
  throw new Error(`--teacher is ${teacher ?? 'missing'}: give an ONNX file with input [N,28,28,1] in 0..1`);
}
const peer = values.peer ?? torchInterpreter();
const turns: Turn[] = [];
for (let turn = 0; turn < Number(values.turns); turn++) {
  turns.push(await ours(teacher));
  turns.push(await theirs(peer, teacher));
}
say(`${cpus()[0]?.model ?? 'unknown CPU'}, ${cpus().length} cores, Node ${process.version}`);
say('who                  wall s   CPU s   peak MB  accuracy');
for (const { who, wallSeconds, cpuSeconds, peakRssBytes, accuracy } of turns) {
  say(
    [
      who.padEnd(20),
      wallSeconds.toFixed(1).padStart(6),
      cpuSeconds.toFixed(1).padStart(7),
      (peakRssBytes / 1e6).toFixed(0).padStart(9),
      (accuracy * 100).toFixed(2).padStart(9),
    ].join(' '),
  );
}
if (values.json) writeFileSync(values.json, `${JSON.stringify({ date: new Date().toISOString(), turns }, null, 2)}\n`);

async function ours(file: string): Promise<Turn> {
  const folder = await mkdtemp(join(tmpdir(), 'bbdistill-recipe-'));
  try {
    const { wallSeconds, cpuSeconds, peakRssBytes } = await timed(process.execPath, [
      here('../../services/cli/dist/main.js'),
      ...['reproduce', 'fashion-mnist', '--teacher', `onnx:${file}`, '--data', values.data, '--recipe', 'paper'],
      ...['--synthetic', values.synthetic, '--threads', values.threads, '--engine', values.engine],
      ...['--state', join(folder, 'state'), '--out', join(folder, 'out'), '--json'],
    ]);
    const report = JSON.parse(readFileSync(join(folder, 'out', 'report.json'), 'utf8')) as Figures;
    const { accuracy, seconds } = report;
    return { who: `bbdistill ${values.engine}`, wallSeconds, cpuSeconds, peakRssBytes, accuracy, seconds };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function theirs(python: string, file: string): Promise<Turn> {
  const { stdout, wallSeconds, cpuSeconds, peakRssBytes } = await timed(python, [
    here('peers/torch_recipe.py'),
    ...[values.data, file, '--synthetic', values.synthetic, '--threads', values.threads],
  ]);
  const said = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Figures & { engine: string };
  const { engine, accuracy, seconds } = said;
  return { who: engine, wallSeconds, cpuSeconds, peakRssBytes, accuracy, seconds };
}

/** Runs a program to its end. @throws Error with its exit code where it fails */
async function timed(command: string, args: string[]) {
  const [wallBegin, cpuBegin] = [performance.now(), childrensCpuSeconds()];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
  let peakRssBytes = 0;
  const looking = setInterval(() => {
    // It only grows, so that what is seen last is the peak.
    void peakOf(child.pid).then((bytes) => (peakRssBytes = Math.max(peakRssBytes, bytes)));
  }, LOOK_EVERY_MS);
  const [code] = (await once(child, 'close').finally(() => clearInterval(looking))) as [number | null];
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}`);
  return {
    stdout,
    wallSeconds: (performance.now() - wallBegin) / 1000,
    cpuSeconds: childrensCpuSeconds() - cpuBegin,
    peakRssBytes,
  };
}

/** @returns 0 where the process is gone (Linux) */
async function peakOf(pid: number | undefined): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) * BYTES_PER_KIB;
}

/** Of all children that have ended (Linux). */
function childrensCpuSeconds(): number {
  const afterName = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
  // The 16th and 17th field; the third is the first after the name.
  return (Number(afterName[13]) + Number(afterName[14])) / TICKS_PER_SECOND;
}

function torchInterpreter(): string {
  const script = here('../../scripts/install-torch.mjs');
  const { stdout } = spawnSync(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });
  const [first] = stdout.split('\n');
  if (!first) throw new Error('there is no PyTorch here: give its interpreter with --peer');
  return first;
}
