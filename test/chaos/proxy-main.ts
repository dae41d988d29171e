// The long form of the teacher-proxy's chaos test: npm run chaos:proxy -- [--faults 200] [--images 20000] [--seed 1]
import { parseArgs } from 'node:util';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { runProxyChaos } from './proxy-chaos.js';

const { values } = parseArgs({
  options: {
    faults: { type: 'string', default: '200' },
    images: { type: 'string', default: '20000' },
    seed: { type: 'string', default: '1' },
    rate: { type: 'string', default: '30' },
  },
});
await using folder = await temporaryFolder();
const images = Number(values.images);
const result = await runProxyChaos({
  folder: folder.path,
  images,
  replicas: 4,
  faults: Number(values.faults),
  seed: Number(values.seed),
  awayMs: [1_000, 20_000],
  imagesPerSecond: Number(values.rate),
  budgetImages: 2 * images,
  say: (line) => process.stdout.write(`${line}\n`),
});
process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
const { answered, metered, distinct, openAtFaults, billed } = result;
const isGood = answered === images && distinct === images && metered - distinct <= openAtFaults && billed >= metered;
process.stdout.write(isGood ? 'every image has its answer, and no call is unaccounted for\n' : 'NOT as it should be\n');
process.exitCode = isGood ? 0 : 1;
