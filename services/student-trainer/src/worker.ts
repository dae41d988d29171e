import { serveWorkerTask } from '@bbdistill/common';
import { tasksInThisThread } from './tasks.js';
import type { WorkerInput, WorkerMessage, WorkerOutput } from './tasks.js';

serveWorkerTask<WorkerInput, WorkerOutput, WorkerMessage>(async (input, { post, signal }) => {
  switch (input.task) {
    case 'train':
      return tasksInThisThread.train(input, {
        signal,
        progress: (step, totalSteps, loss) => post({ step, totalSteps, loss }),
        saveCheckpoint: (checkpoint) => post({ checkpoint }),
      });
    case 'evaluate':
      return tasksInThisThread.evaluate(input, signal);
    case 'export':
      return tasksInThisThread.export(input, signal);
  }
});
