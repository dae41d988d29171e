import type { MessagePort } from 'node:worker_threads';
import { FailedPreconditionError } from '@bbdistill/common/base';
import type { BatchSource } from '../augment/index.js';
import type { Classifier, ClassifierOptions, Engine, SplitStepClassifier } from '../engine.js';
import type { SentFailure } from '../sent-failure.js';
import { ParameterExchange, exchangeBytes } from './parameter-exchange.js';
import { SharedCells, cellCount } from './shared-cells.js';
import { batchSourceOf } from './training.js';
import type { TrainingOptions } from './training.js';

/** How long a thread waits for the others in a step before it takes them for lost. */
export const STEP_DEADLINE_MS = 2 * 60 * 1000;

/** Commands besides steps, which count from 0. */
const STOP = -1;
const SHOW_MOMENTS = -2;

/** The memory that the threads of a training share. */
export interface SharedMemory {
  cells: SharedArrayBuffer;
  rate: SharedArrayBuffer;
  exchange: SharedArrayBuffer;
}

export function sharedMemoryFor(threads: number, parameters: number): SharedMemory {
  return {
    cells: new SharedArrayBuffer(cellCount(threads) * Int32Array.BYTES_PER_ELEMENT),
    rate: new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT),
    exchange: new SharedArrayBuffer(exchangeBytes(threads, parameters)),
  };
}

/** The cells of this memory, for one thread. */
export function cellsOf({ cells }: SharedMemory, threads: number): SharedCells {
  return new SharedCells(new Int32Array(cells), threads, STEP_DEADLINE_MS);
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

/** The classifier of one thread. */
export function sharedOptions(options: ClassifierOptions, thread: number, threads: number): ClassifierOptions {
  return { ...options, share: { thread, images: partsOf(options.batch, threads).map(({ count }) => count) } };
}

/** One thread's share in a training: computes its part of a batch, moves its slice of the weights, shows it to all. */
export class TrainingThread {
  readonly #source: BatchSource;
  readonly #cells: SharedCells;
  readonly #rate: Float64Array;
  readonly #exchange: ParameterExchange;
  readonly #first: number;
  readonly #count: number;
  #loss = NaN;
  #failed: number[] = [];

  /** @param classifier with `sharedOptions` of this thread */
  constructor(
    private readonly classifier: SplitStepClassifier,
    options: TrainingOptions,
    private readonly thread: number,
    private readonly threads: number,
    memory: SharedMemory,
  ) {
    const parts = partsOf(options.classifier.batch, threads);
    this.#source = batchSourceOf(options);
    this.#cells = cellsOf(memory, threads);
    this.#rate = new Float64Array(memory.rate);
    const images = parts.map(({ count }) => count);
    this.#exchange = new ParameterExchange(memory.exchange, images, thread, classifier);
    this.#first = parts[thread]!.first;
    this.#count = parts[thread]!.count;
  }

  get stepsPerEpoch(): number {
    return this.#source.stepsPerEpoch;
  }

  /** The first thread's: makes every thread take this step. @returns whether it was applied */
  lead(step: number, learningRate: number, onFailure: (thrown: unknown) => void): boolean {
    this.#rate[0] = learningRate;
    this.#cells.command(step);
    return this.#take(step, onFailure);
  }

  /** The first thread's: the optimiser's state of all slices into its classifier, which knows the weights already. */
  collectMoments(): void {
    this.#cells.command(SHOW_MOMENTS);
    this.#cells.meet();
    this.#exchange.takeMoments();
  }

  /** The first thread's: makes the others end. */
  stopOthers(): void {
    this.#cells.command(STOP);
  }

  /** The mean loss of the whole batch, after a step that went well. */
  get loss(): number {
    return this.#loss;
  }

  /** Those that failed in the last step. */
  get failedThreads(): readonly number[] {
    return this.#failed;
  }

  /** The others': takes steps until told to stop. @throws BbdError WORKER_LOST */
  follow(onFailure: (thrown: unknown) => void): void {
    for (;;) {
      const command = this.#cells.nextCommand();
      if (command === STOP) return;
      if (command === SHOW_MOMENTS) {
        this.#exchange.publishMoments();
        this.#cells.meet();
      } else this.#take(command, onFailure);
    }
  }

  /** @returns whether the step was applied: not where any thread failed, so that all stay alike */
  #take(step: number, onFailure: (thrown: unknown) => void): boolean {
    let hasFailed = false;
    try {
      this.#source.fill(step, this.#first, this.#count, this.classifier);
      this.#exchange.publishGradients(this.classifier.computeGradients(this.#count, this.#first));
    } catch (thrown) {
      hasFailed = true;
      onFailure(thrown);
    }
    this.#cells.tellFailure(this.thread, hasFailed);
    this.#cells.meet();
    this.#findFailures();
    const isApplied = this.#failed.length === 0;
    if (isApplied) {
      this.#loss = this.#exchange.loss();
      this.#exchange.takeParts();
      this.classifier.applyGradients(this.#rate[0]!);
      this.#exchange.publishWeights();
    }
    this.#cells.meet();
    if (isApplied) this.#exchange.takeWeights();
    return isApplied;
  }

  #findFailures(): void {
    this.#failed.length = 0;
    for (let thread = 0; thread < this.threads; thread++) {
      if (this.#cells.hasFailed(thread)) this.#failed.push(thread);
    }
  }
}
