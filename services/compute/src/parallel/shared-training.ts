import type { MessagePort } from 'node:worker_threads';
import { FailedPreconditionError } from '@bbdistill/common/base';
import type { BatchSource } from '../augment/index.js';
import type { Classifier, Engine, SplitStepClassifier } from '../engine.js';
import { GradientExchange, exchangeBytes } from './gradient-exchange.js';
import { Rendezvous, waitWhile } from './rendezvous.js';
import { batchSourceOf } from './training.js';
import type { TrainingOptions } from './training.js';

/** How long a thread waits for the others in a step before it takes them for lost. */
export const STEP_DEADLINE_MS = 2 * 60 * 1000;

/** Places in the shared cells. */
const GENERATION = 0;
const STEP = 1;
const MEETING = 2;
const STATES = MEETING + Rendezvous.CELLS;

const WORKED = 0;
const FAILED = 1;

/** Asks the other threads to end; steps count from 0. */
const STOP = -1;

/** The memory that the threads of a training share. */
export interface SharedMemory {
  cells: SharedArrayBuffer;
  rate: SharedArrayBuffer;
  exchange: SharedArrayBuffer;
}

export function sharedMemoryFor(threads: number, parameters: number): SharedMemory {
  return {
    cells: new SharedArrayBuffer((STATES + 2 * threads) * Int32Array.BYTES_PER_ELEMENT),
    rate: new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT),
    exchange: new SharedArrayBuffer(exchangeBytes(threads, parameters)),
  };
}

/** What a worker thread is started with. */
export interface TrainingWorkerData {
  engine: Engine['name'];
  options: TrainingOptions;
  checkpoint: Uint8Array | undefined;
  thread: number;
  threads: number;
  memory: SharedMemory;
  port: MessagePort;
}

/** What a worker thread sends: once that it is ready, then only what went wrong. */
export type FromTrainingWorker = { type: 'ready' } | { type: 'failed'; error: SentFailure };

export interface SentFailure {
  message: string;
  stack: string | undefined;
  /** Set where the loss isn't a number. */
  nan?: { network: string; step: number; loss: number };
}

/** @throws FailedPreconditionError where the engine has steps of one piece only */
export function asSplitStep(classifier: Classifier, engine: string): SplitStepClassifier {
  if ('computeGradients' in classifier) return classifier as SplitStepClassifier;
  throw new FailedPreconditionError(
    `engine ${engine} can't share a batch between threads: set threads to 1 (it has threads of its own)`,
    { code: 'ENGINE_NOT_PARALLEL' },
  );
}

/** The images of a batch that each thread takes, in their order; they differ by one at most. */
export function partsOf(batch: number, threads: number): { first: number; count: number }[] {
  const begins = Array.from({ length: threads + 1 }, (_, thread) => Math.floor((thread * batch) / threads));
  return begins.slice(0, -1).map((first, thread) => ({ first, count: begins[thread + 1]! - first }));
}

/** One thread's share in a training: computes its part of a batch, meets the others, applies what all found. */
export class TrainingThread {
  readonly #source: BatchSource;
  readonly #cells: Int32Array;
  readonly #rate: Float64Array;
  readonly #exchange: GradientExchange;
  readonly #rendezvous: Rendezvous;
  readonly #first: number;
  readonly #count: number;

  constructor(
    private readonly classifier: SplitStepClassifier,
    options: TrainingOptions,
    private readonly thread: number,
    private readonly threads: number,
    memory: SharedMemory,
  ) {
    const parts = partsOf(options.classifier.batch, threads);
    this.#source = batchSourceOf(options);
    this.#cells = new Int32Array(memory.cells);
    this.#rate = new Float64Array(memory.rate);
    const images = parts.map(({ count }) => count);
    this.#exchange = new GradientExchange(memory.exchange, images, classifier.parameterCount);
    this.#rendezvous = new Rendezvous(this.#cells.subarray(MEETING, STATES), threads, STEP_DEADLINE_MS);
    this.#first = parts[thread]!.first;
    this.#count = parts[thread]!.count;
  }

  get stepsPerEpoch(): number {
    return this.#source.stepsPerEpoch;
  }

  /** The first thread's: makes every thread take this step. */
  lead(step: number, learningRate: number, onFailure: (thrown: unknown) => void): boolean {
    this.#rate[0] = learningRate;
    this.#command(step);
    return this.#take(step, onFailure);
  }

  /** The first thread's: makes the others end. */
  stopOthers(): void {
    this.#command(STOP);
  }

  /** The mean loss of the whole batch, after a step that went well. */
  get loss(): number {
    return this.#exchange.loss();
  }

  /** Those that failed in this step, the last one that was taken. */
  failedThreads(step: number): number[] {
    return Array.from({ length: this.threads }, (_, thread) => thread).filter(
      (thread) => Atomics.load(this.#cells, this.#stateOf(step, thread)) === FAILED,
    );
  }

  /** The others': takes steps until told to stop. */
  follow(onFailure: (thrown: unknown) => void): void {
    let generation = 0;
    for (;;) {
      waitWhile(this.#cells, GENERATION, generation, Infinity);
      generation = Atomics.load(this.#cells, GENERATION);
      const step = Atomics.load(this.#cells, STEP);
      if (step === STOP) return;
      this.#take(step, onFailure);
    }
  }

  #command(step: number): void {
    Atomics.store(this.#cells, STEP, step);
    Atomics.add(this.#cells, GENERATION, 1);
    Atomics.notify(this.#cells, GENERATION);
  }

  /** @returns whether the step was applied: not where any thread failed, so that all stay alike */
  #take(step: number, onFailure: (thrown: unknown) => void): boolean {
    // Read before the meeting: after it the first thread may be on its way to the next step.
    const learningRate = this.#rate[0]!;
    let state = WORKED;
    try {
      this.#source.fill(step, this.#first, this.#count, this.classifier);
      const loss = this.classifier.computeGradients(this.#count, this.#first);
      this.#exchange.publish(step, this.thread, loss, this.classifier.gradients);
    } catch (thrown) {
      state = FAILED;
      onFailure(thrown);
    }
    Atomics.store(this.#cells, this.#stateOf(step, this.thread), state);
    this.#rendezvous.meet();
    if (this.#hasFailed(step)) return false;
    this.#exchange.sumInto(step, this.classifier.gradients);
    this.classifier.applyGradients(learningRate);
    return true;
  }

  #hasFailed(step: number): boolean {
    for (let thread = 0; thread < this.threads; thread++) {
      if (Atomics.load(this.#cells, this.#stateOf(step, thread)) === FAILED) return true;
    }
    return false;
  }

  /** By turns, as the gradients: one thread may still look while another is in its next step. */
  #stateOf(step: number, thread: number): number {
    return STATES + (step % 2) * this.threads + thread;
  }
}
