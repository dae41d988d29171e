import { serveWorkerTask } from '@bbdistill/common/base';
import type { JobProgress } from '@bbdistill/common/base';
import { tasksInThisThread } from './tasks.js';
import type { FitTaskOutput, WorkerInput, WorkerMessage } from './tasks.js';

serveWorkerTask<WorkerInput, FitTaskOutput | undefined, WorkerMessage>(async (input, context) => {
  const hooks = { signal: context.signal, progress: (progress: JobProgress) => context.post({ progress }) };
  if (input.task === 'fit') return tasksInThisThread.fit(input, hooks);
  await tasksInThisThread.generate(input, (pixels, count) => context.post({ pixels, count }), hooks);
  return undefined;
});
