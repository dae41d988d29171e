import type { BlobStore, JobContext } from '@bbdistill/common';
import type { EngineName } from '@bbdistill/compute';
import { describe, expect, it } from 'vitest';
import { ManualClock } from '@bbdistill/common';
import { MemoryBlobs } from '../../../test/helpers/memory-blobs.js';
import { MemoryState } from '../../../test/helpers/memory-state.js';
import { storeLabelled, tinyImages } from '../../../test/helpers/tiny-images.js';
import { trainerJobs } from './jobs.js';
import { BEST_RECIPE } from './recipes.js';
import type { TrainerTasks } from './tasks.js';

/** The threads that a training is started with. */
async function threadsOf(trainer: { engine: EngineName; threads: number }, asked: { engine: string; threads: number }) {
  const blobs = new MemoryBlobs() as unknown as BlobStore;
  let threads = 0;
  const tasks = {
    train: ({ plan }: Parameters<TrainerTasks['train']>[0]) => {
      threads = plan.threads;
      return Promise.reject(new Error('seen'));
    },
  } as unknown as TrainerTasks;
  const jobs = trainerJobs({
    blobs,
    state: new MemoryState(),
    clock: new ManualClock(),
    tasks,
    gpu: 'preferred',
    checkpointIntervalMs: 1000,
    ...trainer,
  });
  const data = await storeLabelled(blobs, tinyImages(6));
  const request = { network: 'lenet5-half', topology: '', classes: 3, data, recipe: BEST_RECIPE.training, seed: 1 };
  const context = { jobId: 'a', attempt: 1, signal: new AbortController().signal, progress: () => undefined };
  await jobs
    .train({ ...request, part: null, ...asked }, context satisfies JobContext)
    .catch((error: Error) => expect(error.message).toBe('seen'));
  return threads;
}

describe("a trainer's threads", () => {
  const two = { engine: 'wasm', threads: 2 } as const;

  it('are those of its setting where a run leaves them open', async () =>
    expect(await threadsOf(two, { engine: 'auto', threads: 0 })).toBe(2));

  it('are those of the run', async () => expect(await threadsOf(two, { engine: 'auto', threads: 3 })).toBe(3));

  it.each([
    ['what auto found', { engine: 'tensorflow-gpu', threads: 2 }, { engine: 'auto', threads: 0 }],
    ['what the run names', two, { engine: 'tensorflow', threads: 0 }],
  ] as const)('are one on an engine that has its own: %s', async (_what, trainer, asked) =>
    expect(await threadsOf(trainer, asked)).toBe(1),
  );
});
