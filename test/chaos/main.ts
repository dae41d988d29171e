// `npm run chaos`: services and nats-server are killed at random while runs are under way. Ends with 1 where anything
// was lost, paid twice or left behind.
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runChaos } from './chaos.js';
import { verdictOf } from './verdict.js';

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    runs: { type: 'string', default: '2' },
    folder: { type: 'string' },
  },
});
const say = (line: string) => void process.stdout.write(`${line}\n`);
const folder = values.folder ?? (await mkdtemp(join(tmpdir(), 'bbdistill-chaos-')));
say(`folder ${folder}`);
const result = await runChaos({
  folder,
  kills: Number(values.kills),
  seed: Number(values.seed),
  concurrentRuns: Number(values.runs),
  say,
});
const faults = verdictOf(result);
say(JSON.stringify({ ...result, runs: result.runs.length }, undefined, 2));
say(faults.length === 0 ? 'passed' : `failed:\n${faults.join('\n')}`);
process.exitCode = faults.length === 0 ? 0 : 1;
