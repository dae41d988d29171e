// The long form of the teacher-proxy's chaos test: npm run chaos:proxy -- [--faults 200] [--images 20000] [--seed 1]
// With --crowded many small calls are open at once, so that the replicas spend from chunks of the budget.
import { parseArgs } from 'node:util';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { complaints } from './proxy-books.js';
import { ProxyChaos } from './proxy-chaos.js';
import type { ProxyWork } from './proxy-chaos.js';

const { values } = parseArgs({
  options: {
    faults: { type: 'string', default: '200' },
    images: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    rate: { type: 'string', default: '20' },
    crowded: { type: 'boolean', default: false },
  },
});
const say = (line: string) => void process.stdout.write(`${line}\n`);
await using folder = await temporaryFolder();
await using chaos = await ProxyChaos.start({
  folder: folder.path,
  replicas: 4,
  seed: Number(values.seed),
  awayMs: [1_000, 20_000],
  // Small shards, so that a replica that labels again shows it soon; calls that last, so that some are open at any moment.
  load: {
    imagesPerCall: 2,
    timeoutMs: 4_000,
    // The run has to last until the last fault.
    aheadPauseMs: 10_000,
    ...(values.crowded
      ? {
          imagesPerShard: 20,
          shardsPerReplica: 4,
          imagesPerSecond: 2_000,
          latencyMs: 200,
          concurrency: 64,
        }
      : { imagesPerShard: 2, shardsPerReplica: 5, imagesPerSecond: Number(values.rate), latencyMs: 1_000 }),
  },
  say: (line) => say(`${new Date().toISOString()} ${line}`),
});
const images = Number(values.images);
const faults = Number(values.faults);
const headroom: ProxyWork = { run: 'headroom', start: 0, images, faults, budgetImages: 2 * images };
const part = { run: 'scarce', start: images, images: Math.ceil(images / 20), faults: Math.ceil(faults / 25) };
const scarce: ProxyWork = { ...part, budgetImages: Math.floor(part.images * 0.6) };
// What is left to ask after the ceiling is raised needs no fault.
const raised: ProxyWork = { ...part, faults: 0, budgetImages: 2 * part.images };
let isGood = true;
for (const work of [headroom, scarce, raised]) {
  const result = await chaos.run(work);
  const found = complaints(result, work);
  if (work === headroom && result.faultsLeft > 0)
    found.push(`the images ran out ${result.faultsLeft} faults too early`);
  if (work === scarce && result.exhausted === 0) found.push('a budget below the need was enough');
  isGood &&= found.length === 0;
  say(JSON.stringify({ ...work, ...result }, null, 2));
  say(
    found.length === 0
      ? `${work.run}: ledger and meter agree to the image`
      : `NOT as it should be: ${found.join('; ')}`,
  );
}
process.exitCode = isGood ? 0 : 1;
