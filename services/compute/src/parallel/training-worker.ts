import { workerData } from 'node:worker_threads';
import { NanLossError } from '../engine.js';
import { createEngine } from '../engines/select.js';
import { TrainingThread, asSplitStep } from './shared-training.js';
import type { FromTrainingWorker, SentFailure, TrainingWorkerData } from './shared-training.js';

const { engine: name, options, checkpoint, thread, threads, memory, port } = workerData as TrainingWorkerData;
const send = (message: FromTrainingWorker) => port.postMessage(message);
const sendFailure = (thrown: unknown) => send({ type: 'failed', error: failureOf(thrown) });

try {
  const engine = await createEngine(name, 'preferred');
  const classifier = asSplitStep(engine.createClassifier(options.classifier), engine.name);
  if (checkpoint) classifier.restore(checkpoint);
  const training = new TrainingThread(classifier, options, thread, threads, memory);
  send({ type: 'ready' });
  training.follow(sendFailure);
  classifier.dispose();
} catch (thrown) {
  sendFailure(thrown);
} finally {
  port.close();
}

function failureOf(thrown: unknown): SentFailure {
  const { message, stack } = thrown instanceof Error ? thrown : new Error(String(thrown));
  if (!(thrown instanceof NanLossError)) return { message, stack };
  const { network, step, loss } = thrown;
  return { message, stack, nan: { network, step, loss } };
}
