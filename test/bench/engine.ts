// Training steps per second of our engines and of PyTorch, in one run and by turns, because other work on a machine
// changes what it gives from minute to minute: compare ratios, not runs.
//   npm run bench -- [--peer PYTHON]... [--seconds N] [--json FILE]
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { CASES } from './contestant.js';
import type { Contestant, Stint } from './contestant.js';
import { startOwnEngine } from './own-engine.js';
import { startTorchPeer } from './torch-peer.js';

const REPEATS = 5;
const OWN_ENGINES = ['native', 'wasm'] as const;
const PEER_THREADS = [1, 2];

interface Row {
  case: string;
  engine: string;
  threads: number;
  cpuStepsPerSecond: number;
  wallStepsPerSecond: number;
  /** Steps per CPU-second over those of the fastest PyTorch on as many threads; null where there was none. */
  ratioToPyTorch: number | null;
}

const { values } = parseArgs({
  options: {
    peer: { type: 'string', multiple: true, default: ['python3'] },
    seconds: { type: 'string', default: '1' },
    json: { type: 'string' },
  },
});
const secondsPerTurn = Number(values.seconds);
const say = (line: string) => process.stdout.write(`${line}\n`);

const contestants: Contestant[] = [];
for (const name of OWN_ENGINES) {
  await startOwnEngine(name).then(
    (engine) => contestants.push(engine),
    (error: Error) => say(`without ${name}: ${error.message}`),
  );
}
for (const python of values.peer) {
  for (const threads of PEER_THREADS) {
    await startTorchPeer(python, threads).then(
      (peer) => contestants.push(peer),
      (error: Error) => say(`without PyTorch of ${python} on ${threads} threads: ${error.message}; see --peer`),
    );
  }
}

const rows: Row[] = [];
for (const name of CASES) {
  const stints = new Map<Contestant, Stint[]>(contestants.map((contestant) => [contestant, []]));
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    for (const [contestant, taken] of stints) taken.push(await contestant.run(name, secondsPerTurn));
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
    const fastest = Math.max(...peers.map(({ cpuStepsPerSecond }) => cpuStepsPerSecond));
    rows.push({ ...row, ratioToPyTorch: peers.length > 0 ? row.cpuStepsPerSecond / fastest : null });
  }
}
for (const contestant of contestants) await contestant.stop();

const cpu = cpus()[0]?.model ?? 'unknown CPU';
say(`${cpu}, ${cpus().length} cores, Node ${process.version}; medians of ${REPEATS} turns of ${secondsPerTurn} CPU-s`);
say('case          engine               threads  steps/CPU-s  steps/wall-s  x PyTorch');
for (const row of rows) {
  say(
    [
      row.case.padEnd(13),
      row.engine.padEnd(20),
      String(row.threads).padStart(7),
      row.cpuStepsPerSecond.toFixed(1).padStart(12),
      row.wallStepsPerSecond.toFixed(1).padStart(13),
      (row.ratioToPyTorch?.toFixed(2) ?? '-').padStart(10),
    ].join(' '),
  );
}
if (values.json) {
  const date = new Date().toISOString();
  const report = { date, cpu, cores: cpus().length, node: process.version, rows };
  writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
}

function median(numbers: number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}
