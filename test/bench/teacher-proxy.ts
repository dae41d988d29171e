// Measures the paid path: npm run bench:proxy [-- --json] [--quick] [--only limits,latency,cached,cold,overhead]
import { parseArgs } from 'node:util';
import { RandomStream } from '@bbdistill/common';
import { DURABLE_NATS, startNatsServer } from '../helpers/nats-server.js';
import { temporaryFolder } from '../helpers/temporary-folder.js';
import { cachedOverGrpc } from './teacher-proxy-cached.js';
import { measureReplicas } from './teacher-proxy-replicas.js';
import { coldFromBucket, embeddedOverhead, natsOverhead } from './teacher-proxy-speed.js';

const { values } = parseArgs({
  options: {
    json: { type: 'boolean' },
    quick: { type: 'boolean' },
    only: { type: 'string' },
    replicas: { type: 'string' },
  },
});
const only = values.only?.split(',');
const isWanted = (name: string) => only === undefined || only.includes(name);
const replicaCounts = (values.replicas ?? '1,2,4,8').split(',').map(Number);
const scale = values.quick ? 0.3 : 1;
const figures: Record<string, unknown> = {};
const say = (line: string) => {
  if (!values.json) process.stdout.write(`${line}\n`);
};

await using folder = await temporaryFolder();
await using nats = await startNatsServer(DURABLE_NATS);

if (isWanted('limits')) {
  for (const kind of ['sliding', 'bucket'] as const) {
    for (const replicas of replicaCounts) {
      const found = await measureReplicas({
        nats,
        folder: folder.path,
        namespace: `limit-${kind}-${replicas}`,
        replicas,
        behaviour: { limit: { kind, imagesPerSecond: 200 }, latencyMs: 5 },
        limits: { imagesPerSecond: 200, imagesPerCall: 20, concurrency: 64 },
        images: Math.round(30 * scale) * 200,
        shardImages: 100,
      });
      figures[`limit-${kind}-${replicas}`] = found;
      say(
        `200 images/s, ${kind}, ${replicas} replicas: ${((found.utilisation ?? 0) * 100).toFixed(1)} % used, ` +
          `429: ${found.turnedAway} (${found.turnedAwayLater} after the first second), billed ${found.billed} of ${found.distinct} distinct`,
      );
    }
  }
}

if (isWanted('latency')) {
  for (const replicas of replicaCounts) {
    const found = await measureReplicas({
      nats,
      folder: folder.path,
      namespace: `latency-${replicas}`,
      replicas,
      behaviour: { latencyMs: 200, concurrency: 64 },
      limits: { imagesPerCall: 2, concurrency: 64 },
      images: Math.round(1600 * scale) * Math.min(replicas, 4),
      shardImages: 100,
      callConcurrency: 16,
    });
    figures[`latency-${replicas}`] = found;
    say(
      `200 ms, 64 calls at once, 16 a replica, ${replicas} replicas: ${found.imagesPerSecond} images/s, most open ${found.mostOpen}`,
    );
  }
}

if (isWanted('cached')) {
  const found = await cachedOverGrpc(`${folder.path}/cached`, new RandomStream(1, 'bench'), Math.round(200 * scale));
  figures['cached'] = found;
  say(`cached, Label over gRPC in batches of 1000: ${Math.round(found)} images/s`);
}

if (isWanted('cold')) {
  const found = await coldFromBucket(nats.url, `${folder.path}/cold`, Math.round(20 * scale) * 1000);
  figures['cold'] = found;
  say(`from the NATS bucket, never seen here: ${Math.round(found)} images/s`);
}

if (isWanted('overhead')) {
  const embedded = await embeddedOverhead(folder.path, Math.round(500 * scale));
  const overNats = await natsOverhead(nats.url, folder.path, Math.round(500 * scale));
  figures['overhead'] = { embedded, nats: overNats };
  for (const [name, { medianMs, p90Ms, calls }] of Object.entries({ embedded, NATS: overNats })) {
    say(`between two calls, ${name}: median ${medianMs.toFixed(2)} ms, p90 ${p90Ms.toFixed(2)} ms of ${calls}`);
  }
}

if (values.json) process.stdout.write(`${JSON.stringify(figures, null, 2)}\n`);
