import { runWorkerTask } from '@bbdistill/common';
import type { BundleFile } from './export.js';
import type { EvaluateTaskOutput, TrainTaskOutput, TrainerTasks, WorkerInput, WorkerMessage } from './tasks.js';

const script = new URL('./worker.ts', import.meta.url);

/** Does each piece of work in a thread of its own, so that calls are answered meanwhile. */
export const tasksInWorkerThreads: TrainerTasks = {
  train: (input, { signal, progress, saveCheckpoint }) =>
    runWorkerTask<WorkerInput, TrainTaskOutput, WorkerMessage>({
      script,
      input: { task: 'train', ...input },
      signal,
      onMessage: (message) => {
        if ('checkpoint' in message) saveCheckpoint(message.checkpoint);
        else progress(message.step, message.totalSteps, message.loss);
      },
    }),

  evaluate: (input, signal) =>
    runWorkerTask<WorkerInput, EvaluateTaskOutput, WorkerMessage>({
      script,
      input: { task: 'evaluate', ...input },
      signal,
    }),

  export: (input, signal) =>
    runWorkerTask<WorkerInput, BundleFile[], WorkerMessage>({ script, input: { task: 'export', ...input }, signal }),
};
