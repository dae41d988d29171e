import { fileURLToPath } from 'node:url';
import { connect } from '@bbdistill/common';
import type { RandomStream } from '@bbdistill/common';
import { startChild } from '../helpers/child.js';
import { SHAPE, someImages } from './teacher-proxy-speed.js';

const SERVER = fileURLToPath(new URL('../fixtures/teachers/cached-process.mjs', import.meta.url));
const BATCH = 1000;
const WARM_UP_ROUNDS = 30;

/** Cached answers over gRPC from a server in a process of its own. @returns images a second */
export async function cachedOverGrpc(folder: string, random: RandomStream, rounds: number): Promise<number> {
  await using child = startChild(process.execPath, [SERVER, folder]);
  const [, address] = await child.line(/^listening (.*)$/, 60_000);
  const client = connect('bbdistill.v1.TeacherService', address!);
  const images = someImages(random, BATCH);
  const stream = async (run: string, messages: number) => {
    const header = { runId: run, teacher: 'cached', phase: 'PHASE_MIXUP', classes: 10, shape: SHAPE } as const;
    const requests = (async function* () {
      for (let n = 0; n < messages; n++) yield await Promise.resolve({ ...header, pixels: images.pixels });
    })();
    for await (const { answered } of client.bidi('Label', requests)) {
      if (!answered.every(Boolean)) throw new Error('an image stayed without an answer');
    }
  };
  // Enough for what it runs to be compiled.
  await stream('warm', WARM_UP_ROUNDS);
  const beganMs = performance.now();
  await stream('cached', rounds);
  const seconds = (performance.now() - beganMs) / 1000;
  client.close();
  return (rounds * BATCH) / seconds;
}
