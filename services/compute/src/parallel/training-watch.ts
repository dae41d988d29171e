import { Worker, workerData } from 'node:worker_threads';
import { cellsOf } from './shared-training.js';
import type { TrainingWatchData } from './training-watch-data.js';

// Starts the followers of a training. The thread that leads it is blocked in its steps and hears no event, so that it
// could only wait out its deadline for one that ran out of memory or was ended; this one does nothing but listen.
const { script, followers, port } = workerData as TrainingWatchData;

for (const data of followers) {
  const worker = new Worker(new URL(script), { workerData: data, transferList: [data.port] });
  let reason = 'its code came to its end';
  worker.on('error', (error) => (reason = error.message));
  worker.on('exit', (code) => {
    port.postMessage({ thread: data.thread, reason: `exit code ${code}: ${reason}` });
    cellsOf(data.memory, data.threads).tellLoss();
  });
}
