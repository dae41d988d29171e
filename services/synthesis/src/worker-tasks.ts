import { runWorkerTask } from '@bbdistill/common';
import { isolationOf } from '@bbdistill/compute';
import type { FitTaskOutput, SynthesisTasks, WorkerInput, WorkerMessage } from './tasks.js';

const script = new URL('./worker.ts', import.meta.url);

/** Does each piece of work in a thread, or what its engine needs, of its own, so that calls are answered meanwhile. */
export const tasksInWorkerThreads: SynthesisTasks = {
  fit: (input, { signal, progress }) =>
    runWorkerTask<WorkerInput, FitTaskOutput, WorkerMessage>({
      script,
      input: { task: 'fit', ...input },
      isolation: isolationOf(input.engine),
      signal,
      onMessage: (message) => {
        if ('progress' in message) progress(message.progress);
      },
    }),

  async generate(input, sink, { signal, progress }) {
    // Pieces come faster than they are stored; they are given on one after the other, in their order.
    let given: Promise<void> = Promise.resolve();
    await runWorkerTask<WorkerInput, undefined, WorkerMessage>({
      script,
      input: { task: 'generate', ...input },
      isolation: isolationOf(input.engine),
      signal,
      onMessage: (message) => {
        if ('progress' in message) progress(message.progress);
        else given = given.then(() => sink(message.pixels, message.count));
        // Whoever waits below gets the reason; nobody else needs to.
        given.catch(() => undefined);
      },
    });
    await given;
  },
};
