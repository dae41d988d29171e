import { serveWorkerTask } from '@bbdistill/common/base';
import { tasksInThisThread } from './tasks.js';
import type { WorkerInput, WorkerMessage, WorkerOutput } from './tasks.js';

serveWorkerTask<WorkerInput, WorkerOutput, WorkerMessage>(async (input, context) => {
  switch (input.task) {
    case 'train':
      return tasksInThisThread.train(input, {
        signal: context.signal,
        progress: (step, totalSteps, loss) => context.post({ step, totalSteps, loss }),
        saveCheckpoint: (checkpoint) => context.post({ checkpoint }),
      });
    case 'evaluate':
      return tasksInThisThread.evaluate(input, context.signal);
    case 'export':
      return tasksInThisThread.export(input, context.signal);
  }
});
