// Training steps per second of our engines and of PyTorch, in one run and by turns, because other work on a machine
// changes what it gives from minute to minute: compare ratios, not runs.
//   npm run bench -- [--engines NAME,NAME] [--peer PYTHON]... [--no-peers] [--device cuda] [--case NAME]...
//                    [--seconds N] [--json FILE]
// Without --peer it takes what scripts/install-torch.mjs finds or installs: the current wheel and Debian's package. --device is
// that of the peers: with --engines tensorflow-gpu both compute on the same card, and steps/wall-s are what counts.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { engineNamed, threadsFault } from '@bbdistill/compute';
import { CASES } from './contestant.js';
import type { Contestant, Stint } from './contestant.js';
import { startOwnEngine } from './own-engine.js';
import { startTorchPeer } from './torch-peer.js';

const REPEATS = 5;
const THREADS = [1, 2];

interface Row {
  case: string;
  engine: string;
  threads: number;
  cpuStepsPerSecond: number;
  wallStepsPerSecond: number;
  /** Steps per CPU-second over those of the fastest PyTorch on as many threads; null where there was none. */
  ratioToPyTorch: number | null;
  /** The same of steps per second on the clock: what other work takes away shows in it. */
  wallRatioToPyTorch: number | null;
}

const { values } = parseArgs({
  options: {
    engines: { type: 'string', default: 'native,wasm' },
    device: { type: 'string' },
    peer: { type: 'string', multiple: true },
    'no-peers': { type: 'boolean', default: false },
    case: { type: 'string', multiple: true, default: [...CASES] },
    seconds: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
});
const secondsPerTurn = Number(values.seconds);
const say = (line: string) => process.stdout.write(`${line}\n`);

const contestants: Contestant[] = [];
const enter = (start: Promise<Contestant>, what: string) =>
  start.then(
    (contestant) => contestants.push(contestant),
    (error: Error) => say(`without ${what}: ${error.message}`),
  );
for (const threads of THREADS) {
  for (const name of values.engines.split(',').map(engineNamed)) {
    // Engines with threads of their own compete once.
    if (threadsFault(name, threads)) continue;
    await enter(startOwnEngine(name, threads), `${name} on ${threads} threads`);
  }
  for (const python of values['no-peers'] ? [] : (values.peer ?? torchInterpreters())) {
    await enter(startTorchPeer(python, threads, values.device), `PyTorch of ${python} on ${threads} threads`);
  }
}

const rows: Row[] = [];
for (const name of CASES.filter((known) => values.case.includes(known))) {
  const stints = new Map<Contestant, Stint[]>(contestants.map((contestant) => [contestant, []]));
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    for (const [contestant, taken] of stints) {
      const stint = await contestant.run(name, secondsPerTurn);
      if (stint) taken.push(stint);
      else stints.delete(contestant);
    }
  }
  const measured = [...stints].map(([{ engine, threads, isPeer }, taken]) => ({
    isPeer,
    case: name,
    engine,
    threads,
    cpuStepsPerSecond: median(taken.map(({ steps, cpuSeconds }) => steps / cpuSeconds)),
    wallStepsPerSecond: median(taken.map(({ steps, wallSeconds }) => steps / wallSeconds)),
  }));
  for (const { isPeer: _, ...row } of measured) {
    const peers = measured.filter(({ isPeer, threads }) => isPeer && threads === row.threads);
    const ratio = (rate: 'cpuStepsPerSecond' | 'wallStepsPerSecond') =>
      peers.length > 0 ? row[rate] / Math.max(...peers.map((peer) => peer[rate])) : null;
    rows.push({
      ...row,
      ratioToPyTorch: ratio('cpuStepsPerSecond'),
      wallRatioToPyTorch: ratio('wallStepsPerSecond'),
    });
  }
}
for (const contestant of contestants) await contestant.stop();

const cpu = cpus()[0]?.model ?? 'unknown CPU';
say(`${cpu}, ${cpus().length} cores, Node ${process.version}; medians of ${REPEATS} turns of ${secondsPerTurn} CPU-s`);
say('case          engine               threads  steps/CPU-s  steps/wall-s  x PyTorch: CPU   wall');
for (const row of rows) {
  say(
    [
      row.case.padEnd(13),
      row.engine.padEnd(20),
      String(row.threads).padStart(7),
      row.cpuStepsPerSecond.toFixed(1).padStart(12),
      row.wallStepsPerSecond.toFixed(1).padStart(13),
      (row.ratioToPyTorch?.toFixed(2) ?? '-').padStart(15),
      (row.wallRatioToPyTorch?.toFixed(2) ?? '-').padStart(6),
    ].join(' '),
  );
}
if (values.json) {
  const date = new Date().toISOString();
  const report = { date, cpu, cores: cpus().length, node: process.version, rows };
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
}

function torchInterpreters(): string[] {
  const script = fileURLToPath(new URL('../../scripts/install-torch.mjs', import.meta.url));
  const { stdout } = spawnSync(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'], encoding: 'utf8' });
  return stdout.split('\n').filter((line) => line !== '');
}

function median(numbers: number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
