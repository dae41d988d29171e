import { setTimeout as delay } from 'node:timers/promises';
import { workerData } from 'node:worker_threads';
import { THREAD_LINGER_MS } from '@bbdistill/common/base';
import { createEngine } from '../engines/select.js';
import { sendable } from '../sent-failure.js';
import { TrainingThread, asSplitStep, sharedOptions } from './shared-training.js';
import type { FromTrainingWorker, TrainingWorkerData } from './shared-training.js';

const { engine: name, options, checkpoint, thread, threads, memory, port } = workerData as TrainingWorkerData;
const send = (message: FromTrainingWorker) => port.postMessage(message);
const sendFailure = (thrown: unknown) => send({ type: 'failed', error: sendable(thrown) });

try {
  const engine = await createEngine(name, 'preferred');
  const shared = sharedOptions(options.classifier, thread, threads);
  const classifier = asSplitStep(engine.createClassifier(shared), engine.name);
  if (checkpoint) classifier.restore(checkpoint);
  const training = new TrainingThread(classifier, options, thread, threads, memory);
  send({ type: 'ready' });
  training.follow(sendFailure);
  classifier.dispose();
} catch (thrown) {
  sendFailure(thrown);
} finally {
  port.close();
  await delay(THREAD_LINGER_MS);
}
