import { MessageChannel, Worker, receiveMessageOnPort } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { BbdError, asBbdError, builtScript } from '@bbdistill/common/base';
import { NanLossError } from '../engine.js';
import type { Engine } from '../engine.js';
import { TrainingThread, asSplitStep, sharedMemoryFor } from './shared-training.js';
import type { FromTrainingWorker, SentFailure, TrainingWorkerData } from './shared-training.js';
import type { Training, TrainingOptions } from './training.js';

const SCRIPT = new URL('./training-worker.ts', import.meta.url);

interface Follower {
  worker: Worker;
  port: MessagePort;
}

/**
 * Trains one batch on several threads, this one among them: each computes the gradients of its part of the batch, all
 * sum them in the same order and apply the same step. A step blocks the calling thread, so call it in a thread that
 * answers nobody.
 * @param threads 2 or more; no more are taken than a batch has images
 * @throws FailedPreconditionError where the engine can't share a batch
 */
export async function startParallelTraining(
  engine: Engine,
  options: TrainingOptions,
  threads: number,
  checkpoint?: Uint8Array,
): Promise<Training> {
  const parties = Math.min(threads, options.classifier.batch);
  const classifier = asSplitStep(engine.createClassifier(options.classifier), engine.name);
  const followers: Follower[] = [];
  const close = async () => {
    for (const { worker, port } of followers) {
      await worker.terminate();
      port.close();
    }
    classifier.dispose();
  };
  try {
    if (checkpoint) classifier.restore(checkpoint);
    const memory = sharedMemoryFor(parties, classifier.parameterCount);
    const shared = { ...options, rows: inSharedMemory(options.rows) };
    for (let thread = 1; thread < parties; thread++) {
      const data = { engine: engine.name, options: shared, checkpoint, thread, threads: parties, memory };
      followers.push(startFollower(data));
    }
    await Promise.all(followers.map(ready));
    const leader = new TrainingThread(classifier, shared, 0, parties, memory);
    return {
      threads: parties,
      stepsPerEpoch: leader.stepsPerEpoch,
      classifier,
      step(step, learningRate) {
        const failures: Error[] = [];
        const applied = leader.lead(step, learningRate, (thrown) => failures.push(asBbdError(thrown)));
        if (applied) return leader.loss;
        for (const thread of leader.failedThreads(step)) {
          const follower = followers[thread - 1];
          if (follower) failures.push(failureOf(follower));
        }
        // Told in the order of the threads, so that the same training fails with the same words.
        throw failures[0] ?? lost();
      },
      async close() {
        leader.stopOthers();
        await close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function startFollower(data: Omit<TrainingWorkerData, 'port'>): Follower {
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(builtScript(SCRIPT), { workerData: { ...data, port: port2 }, transferList: [port2] });
  return { worker, port: port1 };
}

function ready({ worker, port }: Follower): Promise<void> {
  return new Promise<void>((resolve, reject) => {
    port.once('message', (sent: FromTrainingWorker) => {
      if (sent.type === 'ready') resolve();
      else reject(received(sent.error));
    });
    worker.once('error', reject);
    worker.once('exit', () => reject(lost()));
  }).finally(() => {
    // A port that is listened to would keep the process alive, and takes the messages before they can be fetched.
    port.removeAllListeners('message');
    port.unref();
    worker.removeAllListeners();
    worker.unref();
    worker.on('error', () => undefined);
  });
}

function failureOf({ port }: Follower): Error {
  const got = receiveMessageOnPort(port) as { message: FromTrainingWorker } | undefined;
  return got?.message.type === 'failed' ? received(got.message.error) : lost();
}

function received({ message, stack, nan }: SentFailure): Error {
  const error = nan ? new NanLossError(nan.network, nan.step, nan.loss) : new BbdError('internal', message);
  if (stack !== undefined) error.stack = stack;
  return error;
}

function lost(): BbdError {
  return new BbdError('internal', 'a thread of the training ended by itself: look at the log', {
    code: 'WORKER_LOST',
    retryable: true,
  });
}

/** As they are where they lie there already: the set is large. */
function inSharedMemory({ pixels, targets }: TrainingOptions['rows']): TrainingOptions['rows'] {
  return { pixels: sharedBytes(pixels), targets: sharedFloats(targets) };
}

function sharedBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.buffer instanceof SharedArrayBuffer) return bytes;
  const copy = new Uint8Array(new SharedArrayBuffer(bytes.length));
  copy.set(bytes);
  return copy;
}

function sharedFloats(floats: Float32Array): Float32Array {
  if (floats.buffer instanceof SharedArrayBuffer) return floats;
  const copy = new Float32Array(new SharedArrayBuffer(floats.byteLength));
  copy.set(floats);
  return copy;
}
