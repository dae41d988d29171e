import { serveWorkerTask } from '@bbdistill/common';
import type { JobProgress } from '@bbdistill/common';
import { tasksInThisThread } from './tasks.js';
import type { FitTaskOutput, WorkerInput, WorkerMessage } from './tasks.js';

serveWorkerTask<WorkerInput, FitTaskOutput | undefined, WorkerMessage>(async (input, { post, signal }) => {
  const hooks = { signal, progress: (progress: JobProgress) => post({ progress }) };
  if (input.task === 'fit') return tasksInThisThread.fit(input, hooks);
  await tasksInThisThread.generate(input, (pixels, count) => post({ pixels, count }), hooks);
  return undefined;
});
