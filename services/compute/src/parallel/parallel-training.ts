import { MessageChannel, Worker, receiveMessageOnPort } from 'node:worker_threads';
import type { MessagePort } from 'node:worker_threads';
import { THREAD_LINGER_MS, asBbdError, builtScript } from '@bbdistill/common/base';
import type { Engine, SplitStepClassifier } from '../engine.js';
import { received } from '../sent-failure.js';
import { lost } from './shared-cells.js';
import { TrainingThread, asSplitStep, sharedMemoryFor, sharedOptions } from './shared-training.js';
import type { FromTrainingWorker, TrainingWorkerData } from './shared-training.js';
import { mostThreads } from './thread-limit.js';
import type { LostFollower, TrainingWatchData } from './training-watch-data.js';
import type { TrainedClassifier, Training, TrainingOptions } from './training.js';

const FOLLOWER = new URL('./training-worker.ts', import.meta.url);
const WATCH = new URL('./training-watch.ts', import.meta.url);

/** The threads beside this one. */
interface Followers {
  /** Ends them with itself. */
  watch: Worker;
  /** Tells which one is lost, and how. */
  losses: MessagePort;
  /** Of each follower, in their order. */
  ports: readonly MessagePort[];
}

/**
 * Trains one batch on several threads, this one among them: each computes the gradients of its part of the batch, sums
 * what all found for its slice of the weights in the order of the threads, and moves that slice. A step blocks the
 * calling thread, so call it in a thread that answers nobody.
 * @param threads 2 or more; no more are taken than `mostThreads`
 * @param follower what the other threads run: for tests
 * @throws FailedPreconditionError where the engine can't share a batch
 */
export async function startParallelTraining(
  engine: Engine,
  options: TrainingOptions,
  threads: number,
  checkpoint?: Uint8Array,
  follower: URL = FOLLOWER,
): Promise<Training> {
  const { network, batch } = options.classifier;
  const parties = Math.min(threads, mostThreads(network, batch));
  const classifier = asSplitStep(engine.createClassifier(sharedOptions(options.classifier, 0, parties)), engine.name);
  let followers: Followers | undefined;
  const close = () => {
    for (const port of [...(followers?.ports ?? []), ...(followers ? [followers.losses] : [])]) port.close();
    classifier.dispose();
  };
  try {
    if (checkpoint) classifier.restore(checkpoint);
    const memory = sharedMemoryFor(parties, classifier.parameterCount);
    const shared = { ...options, rows: inSharedMemory(options.rows) };
    const given = { engine: engine.name, options: shared, checkpoint, threads: parties, memory };
    const { watch, losses, ports } = (followers = startFollowers(builtScript(follower), given));
    await ready(followers);
    const leader = new TrainingThread(classifier, shared, 0, parties, memory);
    return {
      threads: parties,
      stepsPerEpoch: leader.stepsPerEpoch,
      classifier: collecting(classifier, () => withReason(losses, () => leader.collectMoments())),
      step(step, learningRate) {
        const failures: Error[] = [];
        const onFailure = (thrown: unknown) => failures.push(asBbdError(thrown));
        if (withReason(losses, () => leader.lead(step, learningRate, onFailure))) return leader.loss;
        for (const thread of leader.failedThreads) {
          const port = ports[thread - 1];
          if (port) failures.push(failureOf(port));
        }
        // Told in the order of the threads, so that the same training fails with the same words.
        throw failures[0] ?? lost('failed without a word');
      },
      async close() {
        leader.stopOthers();
        // They go by themselves; one that hangs is ended.
        const end = setTimeout(() => void watch.terminate(), 2 * THREAD_LINGER_MS).unref();
        watch.once('exit', () => clearTimeout(end));
        close();
      },
    };
  } catch (error) {
    await followers?.watch.terminate();
    close();
    throw error;
  }
}

/** Every thread keeps only its slice of the moments and averages: they are put together when somebody asks for them. */
function collecting(classifier: SplitStepClassifier, collect: () => void): TrainedClassifier {
  return {
    network: classifier.network,
    parameterCount: classifier.parameterCount,
    predict: (images, count) => classifier.predict(images, count),
    weights: () => classifier.weights(),
    averagedWeights() {
      collect();
      return classifier.averagedWeights();
    },
    checkpoint() {
      collect();
      return classifier.checkpoint();
    },
    memoryBytes: () => classifier.memoryBytes(),
  };
}

function startFollowers(script: URL, given: Omit<TrainingWorkerData, 'port' | 'thread'>): Followers {
  const channels = Array.from({ length: given.threads - 1 }, () => new MessageChannel());
  const losses = new MessageChannel();
  const workerData: TrainingWatchData = {
    script: script.href,
    followers: channels.map(({ port2 }, at) => ({ ...given, thread: at + 1, port: port2 })),
    port: losses.port2,
  };
  const transferList = [losses.port2, ...channels.map(({ port2 }) => port2)];
  const watch = new Worker(builtScript(WATCH), { workerData, transferList });
  return { watch, losses: losses.port1, ports: channels.map(({ port1 }) => port1) };
}

async function ready({ watch, losses, ports }: Followers): Promise<void> {
  const lossOf = new Promise<never>((_, reject) => {
    losses.once('message', ({ reason }: LostFollower) => reject(lost(`ended by itself (${reason})`)));
    watch.once('error', reject);
  });
  const readyOf = (port: MessagePort) =>
    new Promise<void>((resolve, reject) => {
      port.once('message', (sent: FromTrainingWorker) => {
        if (sent.type === 'ready') resolve();
        else reject(received(sent.error));
      });
    });
  try {
    await Promise.race([Promise.all(ports.map(readyOf)), lossOf]);
  } finally {
    // A port that is listened to would keep the process alive, and takes the messages before they can be fetched.
    for (const port of [...ports, losses]) {
      port.removeAllListeners('message');
      port.unref();
    }
    watch.removeAllListeners();
    watch.unref();
    watch.on('error', () => undefined);
  }
}

/** Says how a thread was lost, where the thread that watches them knows. */
function withReason<T>(losses: MessagePort, run: () => T): T {
  try {
    return run();
  } catch (error) {
    const told = receiveMessageOnPort(losses) as { message: LostFollower } | undefined;
    throw told ? lost(`ended by itself (${told.message.reason})`, error) : error;
  }
}

function failureOf(port: MessagePort): Error {
  const got = receiveMessageOnPort(port) as { message: FromTrainingWorker } | undefined;
  return got?.message.type === 'failed' ? received(got.message.error) : lost('failed without a word');
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
