import { TransferredResult, serveWorkerTask } from '@bbdistill/common/base';
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
    case 'export': {
      const files = await tasksInThisThread.export(input, context.signal);
      // A piece of a larger buffer is copied: something else may lie beside it.
      const buffers = files.map(({ bytes }) => bytes).filter(({ buffer, length }) => buffer.byteLength === length);
      return new TransferredResult(
        files,
        buffers.map(({ buffer }) => buffer as ArrayBuffer),
      );
    }
  }
});
