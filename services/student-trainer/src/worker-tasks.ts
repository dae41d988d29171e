import { runWorkerTask } from '@bbdistill/common';
import { isolationOf } from '@bbdistill/compute';
import type { BundleFile } from './export.js';
import { PART_LINGER_MS, isMoreToCome } from './train.js';
import type { EvaluateTaskOutput, TrainTaskOutput, TrainerTasks, WorkerInput, WorkerMessage } from './tasks.js';

const script = new URL('./worker.ts', import.meta.url);

/** Does each piece of work in a thread, or what its engine needs, of its own, so that calls are answered meanwhile. */
export const tasksInWorkerThreads: TrainerTasks = {
  train: (input, { signal, progress, saveCheckpoint }) =>
    runWorkerTask<WorkerInput, TrainTaskOutput, WorkerMessage>({
      script,
      input: { task: 'train', ...input },
      isolation: isolationOf(input.engine),
      signal,
      ...(isMoreToCome(input.plan.part) && { threadLingerMs: PART_LINGER_MS }),
      onMessage: (message) => {
        if ('checkpoint' in message) saveCheckpoint(message.checkpoint);
        else progress(message.step, message.totalSteps, message.loss);
      },
    }),

  evaluate: (input, signal) =>
    runWorkerTask<WorkerInput, EvaluateTaskOutput, WorkerMessage>({
      script,
      input: { task: 'evaluate', ...input },
      isolation: isolationOf(input.engine),
      signal,
    }),

  export: (input, signal) =>
    runWorkerTask<WorkerInput, BundleFile[], WorkerMessage>({ script, input: { task: 'export', ...input }, signal }),
};
