// Measures all services as processes: npm run bench:system [-- --only crowd,limited,reactions] [--json FILE]
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { measureCrowd } from './system-crowd.js';
import { measureLimited } from './system-limited.js';
import { measureReactions } from './system-reactions.js';

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    runs: { type: 'string', default: '50' },
    rounds: { type: 'string', default: '1' },
    clients: { type: 'string', default: '10' },
    rate: { type: 'string', default: '100' },
    images: { type: 'string', default: '5120' },
    epochs: { type: 'string', default: '30' },
    repeats: { type: 'string', default: '5' },
    json: { type: 'string' },
  },
});
const isWanted = (name: string) => values.only === undefined || values.only.split(',').includes(name);
const say = (line: string) => void process.stdout.write(`${line}\n`);
const ms = (value: number) => `${value.toFixed(1)} ms`;
const seconds = (value: number) => `${value.toFixed(1)} s`;
const figures: Record<string, unknown> = {};

await using folder = await temporaryFolder();

if (isWanted('crowd')) {
  const found = await measureCrowd({
    folder: join(folder.path, 'crowd'),
    runs: Number(values.runs),
    rounds: Number(values.rounds),
    clients: Number(values.clients),
    askEveryMs: 1_000,
  });
  figures['crowd'] = found;
  const { getRun, createRun } = found;
  say(`${found.runs} runs from ${found.clients} clients: ${found.succeeded} succeeded, ${seconds(found.wallSeconds)}`);
  for (const failure of found.failures) say(`  ${failure}`);
  say(`  GetRun: p50 ${ms(getRun.p50Ms)}, p99 ${ms(getRun.p99Ms)}, most ${ms(getRun.maxMs)} of ${getRun.calls}`);
  say(`  CreateRun: p50 ${ms(createRun.p50Ms)}, most ${ms(createRun.maxMs)}`);
  for (const [name, { first, most, last }] of Object.entries(found.rssMib)) {
    const cpu = seconds(found.cpuSeconds[name] ?? 0);
    say(`  ${name}: ${first} MiB at first, ${most} at most, ${last} at last; ${cpu} of a core`);
  }
  say(`  orchestrator over time, MiB: ${found.orchestratorRssMib.join(' ')}`);
  say(`  orchestrator after each round, MiB: ${found.orchestratorRssAfterRoundMib.join(' ')}`);
  say(`  ${found.billed} images billed, ${found.metered} charged for, ${found.distinct} distinct`);
}

if (isWanted('limited')) {
  const found = await measureLimited({
    folder: join(folder.path, 'limited'),
    imagesPerSecond: Number(values.rate),
    synthetic: Number(values.images),
    epochs: Number(values.epochs),
  });
  figures['limited'] = found;
  say(
    `teacher limited to ${values.rate} images/s, ${found.billed} billed: ${seconds(found.wallSeconds)}, allowed ` +
      `${seconds(found.allowedSeconds)} (asking alone ${seconds(found.labelSeconds)}, embedded training ` +
      `${seconds(found.embeddedTrainSeconds)}; ${found.turnedAway} calls turned away)`,
  );
}

if (isWanted('reactions')) {
  const found = await measureReactions({ folder: join(folder.path, 'reactions'), repeats: Number(values.repeats) });
  figures['reactions'] = found;
  for (const [work, { medianMs, maxMs }] of Object.entries(found.cancelMs)) {
    say(`cancel in ${work}: median ${ms(medianMs)}, most ${ms(maxMs)} of ${values.repeats}`);
  }
  say(`takeover: median ${ms(found.takeoverMs.medianMs)}, most ${ms(found.takeoverMs.maxMs)} of ${values.repeats}`);
}

if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(figures, undefined, 2)}\n`);
