import { setMaxListeners } from 'node:events';
import { CancelledError, RUN_PATIENCE_MS, isEnded, jobId, patiently } from '@bbdistill/common';
import type { Clock, JobClient, JobProgress, ServiceClient } from '@bbdistill/common';
import type { AnswerShard__Output } from '@bbdistill/common/gen/bbdistill/v1/AnswerShard.js';
import type { Dataset__Output } from '@bbdistill/common/gen/bbdistill/v1/Dataset.js';
import type { EvaluateRequest__Output } from '@bbdistill/common/gen/bbdistill/v1/EvaluateRequest.js';
import type { EvaluateResult__Output } from '@bbdistill/common/gen/bbdistill/v1/EvaluateResult.js';
import type { ExportRequest__Output } from '@bbdistill/common/gen/bbdistill/v1/ExportRequest.js';
import type { ExportResult__Output } from '@bbdistill/common/gen/bbdistill/v1/ExportResult.js';
import type { FitRequest__Output } from '@bbdistill/common/gen/bbdistill/v1/FitRequest.js';
import type { FitResult__Output } from '@bbdistill/common/gen/bbdistill/v1/FitResult.js';
import type { GenerateRequest__Output } from '@bbdistill/common/gen/bbdistill/v1/GenerateRequest.js';
import type { GenerateResult__Output } from '@bbdistill/common/gen/bbdistill/v1/GenerateResult.js';
import type { ImageShard__Output } from '@bbdistill/common/gen/bbdistill/v1/ImageShard.js';
import type { LabelRequest__Output } from '@bbdistill/common/gen/bbdistill/v1/LabelRequest.js';
import type { LabelResult__Output } from '@bbdistill/common/gen/bbdistill/v1/LabelResult.js';
import type { LabelledShard__Output } from '@bbdistill/common/gen/bbdistill/v1/LabelledShard.js';
import type { MixRequest__Output } from '@bbdistill/common/gen/bbdistill/v1/MixRequest.js';
import type { MixResult__Output } from '@bbdistill/common/gen/bbdistill/v1/MixResult.js';
import type { Phase__Output } from '@bbdistill/common/gen/bbdistill/v1/Phase.js';
import type { TrainRequest__Output } from '@bbdistill/common/gen/bbdistill/v1/TrainRequest.js';
import type { TrainResult__Output } from '@bbdistill/common/gen/bbdistill/v1/TrainResult.js';
import type { DatasetStore } from './datasets.js';
import { evaluationShards } from './evaluation-shards.js';
import type { ShardGatherer } from './evaluation-shards.js';
import { HandoverError } from './run-record.js';
import { stageInTrace } from './run-telemetry.js';
import { workerOf } from './scaler/index.js';
import type { Worker, WorkerWaits } from './scaler/index.js';
import { newestTrainedOn, trainingParts } from './training-parts.js';
import type { CheckedSpec } from './spec.js';
import type { DrivenRun, Stage } from './stages.js';

/** What a run needs from outside. */
export interface RunSurroundings {
  jobs: JobClient;
  teacher: ServiceClient<'bbdistill.v1.TeacherService'>;
  datasets: DatasetStore;
  gather: ShardGatherer;
  /** What keeps the workers from working. */
  waits: WorkerWaits;
  /** Told when a run comes near its end, whose report is to be drawn soon. */
  onNearEnd: () => void;
  clock: Clock;
}

/** All that the stages of a run gave, for the report. */
export interface RunOutcome {
  real: Dataset__Output;
  seeds: LabelledShard__Output[];
  mixed: LabelledShard__Output[];
  generated: LabelledShard__Output[];
  fit: FitResult__Output | undefined;
  student: TrainResult__Output;
  standardKd: TrainResult__Output | undefined;
  evaluation: EvaluateResult__Output | undefined;
  standardKdEvaluation: EvaluateResult__Output | undefined;
  exported: ExportResult__Output;
}

/**
 * Drives a run through its stages (DESIGN.md §1): label the few images, mix them, fit a CVAE on image and answer, ask
 * about the synthetic images, train, evaluate, export. Stages start as soon as what they need is there; each is a job
 * keyed by its inputs, so that a resumed run, or another run with the same inputs, reuses what was done.
 * @throws BbdError of the first stage that failed; CancelledError when the signal aborts. Either way no job of the
 *   run goes on.
 */
export async function driveRun(
  spec: CheckedSpec,
  run: DrivenRun,
  surroundings: RunSurroundings,
  signal: AbortSignal,
): Promise<RunOutcome> {
  const graph = new StageGraph(signal);
  const stages = new Stages(spec, run, surroundings, graph);
  const { datasets } = surroundings;
  const real = await datasets.get(spec.images);
  const test = spec.test === '' ? undefined : await datasets.get(spec.test);
  const { synthesis } = spec;

  const answers = new AnswersToCome(graph.signal);
  const seeds = graph.node(() => stages.label('label-seeds', 'PHASE_SEEDS', real.shards, answers.of('seeds')));
  const mix = graph.node(() => (synthesis.images > 0 ? stages.mix(real.shards) : NOTHING_MIXED));
  // The real images go first: a budget that runs out must run out on synthetic ones.
  const mixed = graph.node(async () => {
    await seeds;
    return stages.label('label-mixup', 'PHASE_MIXUP', (await mix).shards, answers.of('mixup'));
  });
  const fit = graph.node(async () => ((await mix).dropped > 0 ? stages.fit(await seeds) : undefined));
  const drawn = graph.node(async () => {
    const fitted = await fit;
    return fitted ? stages.generate(fitted, (await mix).dropped) : [];
  });
  const generated = graph.node(async () => stages.label('label-cvae', 'PHASE_CVAE', await drawn, answers.of('cvae')));
  const standardKd = graph.node(async () =>
    spec.evaluation.standardKd ? stages.train('train-standard-kd', await seeds) : undefined,
  );
  const student = graph.node(async () => {
    if (!spec.overlap) return stages.train('train', [...(await seeds), ...(await mixed), ...(await generated)]);
    const [mixShards, drawnShards] = [(await mix).shards, await drawn];
    return stages.trainInParts('train', [
      ...real.shards.map((images, i) => ({ images, labelled: answers.wait('seeds', i) })),
      // Few beside the mixed ones, and asked about side by side with them: the last answers are to mixed images.
      ...drawnShards.map((images, i) => ({ images, labelled: answers.wait('cvae', i) })),
      ...mixShards.map((images, i) => ({ images, labelled: answers.wait('mixup', i) })),
    ]);
  });
  const testAnswers = graph.node(async () => {
    // Evaluation spends last, from what training left of the budget.
    await Promise.all([mixed, generated]);
    return test ? stages.labelTest(test) : [];
  });
  const evaluation = graph.node(async () => {
    const [trained, answers] = [await student, await testAnswers];
    return test ? stages.evaluate('evaluate', trained, test, answers) : undefined;
  });
  const standardKdEvaluation = graph.node(async () => {
    const [trained, answers] = [await standardKd, await testAnswers];
    return test && trained ? stages.evaluate('evaluate-standard-kd', trained, test, answers) : undefined;
  });
  const exported = graph.node(async () => {
    const trained = await student;
    surroundings.onNearEnd();
    return stages.export(trained, [...(await seeds), ...(await mixed), ...(await generated)]);
  });
  await graph.finished();
  return {
    real,
    seeds: await seeds,
    mixed: await mixed,
    generated: await generated,
    fit: await fit,
    student: await student,
    standardKd: await standardKd,
    evaluation: await evaluation,
    standardKdEvaluation: await standardKdEvaluation,
    exported: await exported,
  };
}

const NOTHING_MIXED: Promise<MixResult__Output> = Promise.resolve({ shards: [], dropped: 0, seconds: 0 });

/** Promises that stop together: the first that fails aborts the others, and is what the whole failed of. */
class StageGraph {
  readonly #stop = new AbortController();
  readonly #nodes: Promise<unknown>[] = [];
  #failure: { thrown: unknown } | undefined;
  readonly signal: AbortSignal;

  constructor(outer: AbortSignal) {
    this.signal = AbortSignal.any([outer, this.#stop.signal]);
  }

  node<T>(work: () => Promise<T>): Promise<T> {
    const node = work();
    node.catch((thrown: unknown) => {
      this.#failure ??= { thrown };
      this.#stop.abort();
    });
    this.#nodes.push(node);
    return node;
  }

  async finished(): Promise<void> {
    // What works may have more to finish than there was at first.
    for (let known = -1; known < this.#nodes.length;) {
      known = this.#nodes.length;
      await Promise.allSettled(this.#nodes);
    }
    if (this.#failure) throw this.#failure.thrown;
  }
}

/** The stages, each one or more queued jobs. */
class Stages {
  private readonly signal: AbortSignal;

  constructor(
    private readonly spec: CheckedSpec,
    private readonly run: DrivenRun,
    private readonly surroundings: RunSurroundings,
    private readonly graph: StageGraph,
  ) {
    this.signal = graph.signal;
  }

  mix(images: ImageShard__Output[]): Promise<MixResult__Output> {
    const { synthesis, seed } = this.spec;
    const request: MixRequest__Output = {
      images,
      count: synthesis.images,
      alpha: synthesis.mixupAlpha,
      dropBelow: synthesis.dropBelow,
      mixupShare: synthesis.mixupShare,
      cutmixShare: synthesis.cutmixShare,
      augmentedShare: synthesis.augmentedShare,
      cvaeShare: synthesis.cvaeShare,
      source: synthesis.source,
      seed,
    };
    return this.#one('mix', 'mix', request, { unit: 'images', done: 0, total: synthesis.images });
  }

  fit(data: LabelledShard__Output[]): Promise<FitResult__Output> {
    const { classes, synthesis, seed, engine } = this.spec;
    const request: FitRequest__Output = { data, classes, cvae: synthesis.cvae, seed, engine };
    return this.#one('fit-cvae', 'fit', request, { unit: 'epochs', done: 0, total: synthesis.cvae.epochs });
  }

  async generate(fit: FitResult__Output, count: number): Promise<ImageShard__Output[]> {
    const { seed, engine } = this.spec;
    const request: GenerateRequest__Output = { generator: fit.generator, count, seed, engine };
    const progress = { unit: 'images', done: 0, total: count };
    const result = await this.#one<GenerateRequest__Output, GenerateResult__Output>(
      'generate-cvae',
      'generate',
      request,
      progress,
    );
    return result.shards;
  }

  train(stage: string, data: LabelledShard__Output[]): Promise<TrainResult__Output> {
    const { epochs } = this.spec.student.recipe;
    return this.#one(stage, 'train', this.#trainRequest(data), { unit: 'epochs', done: 0, total: epochs });
  }

  /** Trains while answers still come: each part waits for the shards that it draws from. */
  async trainInParts(stageName: string, shards: readonly ShardToCome[]): Promise<TrainResult__Output> {
    const { recipe } = this.spec.student;
    const parts = trainingParts(
      shards.map(({ images }) => images.images),
      recipe,
    );
    const progress = { unit: 'steps', done: 0, total: parts[0]?.totalSteps ?? 0 };
    return this.#inStage(
      stageName,
      'train',
      progress,
      async (submit) => {
        let trained: TrainResult__Output | undefined;
        let known = 0;
        for (const { shards: count, batchMixupAlpha, ...planned } of parts) {
          const data = await Promise.all(shards.slice(0, count).map(({ labelled }) => labelled));
          const steps = { ...planned, newestImages: newestTrainedOn(planned, data.slice(known)) };
          known = count;
          if (steps.endStep === steps.totalSteps) this.surroundings.onNearEnd();
          const part = { ...steps, checkpoint: trained?.checkpoint ?? null };
          const request = { ...this.#trainRequest(data), recipe: { ...recipe, batchMixupAlpha }, part };
          [trained] = await submit<TrainRequest__Output, TrainResult__Output>([request]);
        }
        return trained!;
      },
      { waitsBetween: true },
    );
  }

  #trainRequest(data: LabelledShard__Output[]): TrainRequest__Output {
    const { student, classes, seed, engine, threads } = this.spec;
    const { network, topology, recipe } = student;
    return { network, topology, classes, data, recipe, seed, engine, threads, part: null };
  }

  evaluate(
    stage: string,
    trained: TrainResult__Output,
    test: Dataset__Output,
    answers: AnswerShard__Output[],
  ): Promise<EvaluateResult__Output> {
    const request: EvaluateRequest__Output = {
      weights: trained.weights,
      images: test.shards,
      labels: test.labels,
      answers,
      engine: this.spec.engine,
    };
    return this.#one(stage, 'evaluate', request, { unit: 'images', done: 0, total: test.images });
  }

  export(trained: TrainResult__Output, data: LabelledShard__Output[]): Promise<ExportResult__Output> {
    const { classNames, name } = this.spec;
    const request: ExportRequest__Output = { weights: trained.weights, classNames, data, name };
    return this.#one('export', 'export', request, { unit: 'files', done: 0, total: 0 });
  }

  async label(
    stageName: string,
    phase: Phase__Output,
    shards: readonly ImageShard__Output[],
    onAnswered: (index: number, shard: LabelledShard__Output) => void = () => undefined,
  ): Promise<LabelledShard__Output[]> {
    if (shards.length === 0) return [];
    const { teacher, classes, budget } = this.spec;
    const requests = shards.map((images): LabelRequest__Output => ({
      runId: this.run.record.id,
      teacher,
      phase,
      images,
      classes,
      budget,
      reask: this.run.record.reask ?? false,
    }));
    const total = shards.reduce((sum, shard) => sum + shard.images, 0);
    const progress = { unit: 'images', done: 0, total };
    const results = await this.#inStage(stageName, 'label', progress, (submit) =>
      submit<LabelRequest__Output, LabelResult__Output>(requests, {
        // Shards that are worked on side by side are answered together: the training would wait for all of them.
        ...(this.spec.overlap && { ahead: MAX_SHARDS_AHEAD_OF_TRAINING, nextAt: NEXT_SHARD_AT }),
        onResult: (index, { answers }) => onAnswered(index, { images: shards[index]!, answers }),
      }),
    );
    return shards.map((images, i) => ({ images, answers: results[i]!.answers }));
  }

  /** Asks about test images as far as evaluation.teacher_images allows, then takes what is known of all of them. */
  async labelTest(test: Dataset__Output): Promise<AnswerShard__Output[]> {
    const { teacher, classes, evaluation } = this.spec;
    const asked = await evaluationShards(test.shards, evaluation.teacherImages, this.surroundings.gather);
    await this.label('label-test', 'PHASE_EVALUATION', asked);
    const answers: AnswerShard__Output[] = [];
    for (const images of test.shards) {
      const { signal } = this;
      const known = await patiently(
        () => this.surroundings.teacher.unary('LookUp', { teacher, images, classes }, { signal }),
        { clock: this.surroundings.clock, signal, patienceMs: RUN_PATIENCE_MS },
      );
      if (known.answers) answers.push(known.answers);
    }
    return answers;
  }

  async #one<Request, Result>(stage: string, kind: string, request: Request, progress: JobProgress): Promise<Result> {
    const [result] = await this.#inStage(stage, kind, progress, (submit) => submit<Request, Result>([request]));
    return result as Result;
  }

  /** One stage, whose work is one or more rounds of jobs of a kind. */
  #inStage<T>(
    stageName: string,
    kind: string,
    progress: JobProgress,
    work: (submit: Submit) => Promise<T>,
    options: StageOptions = {},
  ): Promise<T> {
    return stageInTrace(stageName, this.run.record.id, () => this.#work(stageName, kind, progress, work, options));
  }

  async #work<T>(
    stageName: string,
    kind: string,
    progress: JobProgress,
    work: (submit: Submit) => Promise<T>,
    { waitsBetween = false }: StageOptions,
  ): Promise<T> {
    if (this.signal.aborted) throw new CancelledError('the run was stopped');
    const worker = workerOf(kind);
    const stage = this.run.stage(stageName, progress, waitsBetween ? undefined : worker);
    const stopListening = worker && this.#listen(worker, stage);
    const rounds: { reused: boolean; cancel(): Promise<void> }[] = [];
    const submit = async <Request, Result>(requests: readonly Request[], options?: SubmitOptions<Result>) => {
      const { jobs } = this.surroundings;
      const queued = new StageJobs<Request, Result>(kind, requests, stage, progress, jobs, this.signal);
      rounds.push(queued);
      await Promise.all([stage.begun, this.run.addJobs(queued.ids)]);
      if (!waitsBetween) return queued.results(options);
      stage.employ(worker);
      return queued.results(options).finally(() => stage.employ(undefined));
    };
    try {
      const result = await work(submit);
      const reused = rounds.every((round) => round.reused);
      // The end of this stage and the beginning of those that waited for it are one write.
      void this.graph.node(() => stage.done(reused));
      return result;
    } catch (thrown) {
      if (this.signal.reason instanceof HandoverError) throw thrown;
      for (const queued of rounds) await queued.cancel();
      await stage.failed(this.signal.aborted ? 'cancelled' : 'failed');
      throw thrown;
    } finally {
      stopListening?.();
    }
  }

  /** Shows in the run what happens to the pods of the worker. */
  #listen(worker: Worker, stage: Stage): () => void {
    return this.surroundings.waits.listen(worker, {
      onReason: (reason) => stage.waitsFor(reason),
      // For show: a run that was taken over notices at its next real write.
      onNotice: (notice) => void this.run.note(notice).catch(() => undefined),
    });
  }
}

/**
 * Jobs that a stage of a run has queued or running at once. The queue is first come, first served: a run of many shards
 * must not make a small one wait until all of them are done.
 */
export const MAX_JOBS_AHEAD = 8;

/** Of an overlapped run. A shard keeps as many calls in flight as the teacher takes; two at once would end together. */
export const MAX_SHARDS_AHEAD_OF_TRAINING = 1;
/** So much of a shard is answered when the next one is queued: a limited teacher's slots lapse while nobody asks. */
export const NEXT_SHARD_AT = 0.85;

interface SubmitOptions<Result> {
  /** Jobs queued or running at once. Default {@link MAX_JOBS_AHEAD}. */
  ahead?: number;
  /** How much of a job is done when the next one may be queued beside it. Default 1. */
  nextAt?: number;
  onResult?: (index: number, result: Result) => void;
}

/** Queues jobs of the stage's kind and waits for their results, which come in the order of the requests. */
type Submit = <Request, Result>(requests: readonly Request[], options?: SubmitOptions<Result>) => Promise<Result[]>;

interface StageOptions {
  /** Between its rounds of jobs it may wait for long: no pod is kept for it then. */
  waitsBetween?: boolean;
}

/** Images whose answers may still be on their way. */
interface ShardToCome {
  images: ImageShard__Output;
  labelled: Promise<LabelledShard__Output>;
}

interface Slot {
  promise: Promise<LabelledShard__Output>;
  resolve: (shard: LabelledShard__Output) => void;
}

/** Answered shards for those who wait for single ones, whoever comes first. */
class AnswersToCome {
  readonly #slots = new Map<string, Slot>();

  constructor(private readonly signal: AbortSignal) {
    // Every shard that is waited for listens to it.
    setMaxListeners(0, signal);
  }

  /** What to tell of every answered shard of the group. */
  of(group: string): (index: number, shard: LabelledShard__Output) => void {
    return (index, shard) => this.#slot(`${group} ${index}`).resolve(shard);
  }

  /** @throws CancelledError when the signal aborts first */
  wait(group: string, index: number): Promise<LabelledShard__Output> {
    return this.#slot(`${group} ${index}`).promise;
  }

  #slot(name: string): Slot {
    const known = this.#slots.get(name);
    if (known) return known;
    let resolve: Slot['resolve'] = () => undefined;
    const promise = new Promise<LabelledShard__Output>((fulfil, reject) => {
      resolve = fulfil;
      const stop = () => reject(new CancelledError('the run was stopped'));
      if (this.signal.aborted) stop();
      this.signal.addEventListener('abort', stop, { once: true });
    });
    // Nobody may come to wait for it.
    promise.catch(() => undefined);
    const slot = { promise, resolve };
    this.#slots.set(name, slot);
    return slot;
  }
}

/** The jobs of one stage, whose progress adds up to the stage's. */
export class StageJobs<Request, Result> {
  readonly ids: string[];
  /** Everything was there already. */
  reused = true;
  readonly #parts: (JobProgress | undefined)[];
  #running = false;

  constructor(
    private readonly kind: string,
    private readonly requests: readonly Request[],
    private readonly stage: Stage,
    private readonly planned: JobProgress,
    private readonly jobs: JobClient,
    private readonly signal: AbortSignal,
  ) {
    this.ids = requests.map((request) => jobId(kind, request));
    this.#parts = requests.map(() => undefined);
  }

  async results({ ahead = MAX_JOBS_AHEAD, nextAt = 1, onResult }: SubmitOptions<Result> = {}): Promise<Result[]> {
    const stop = new AbortController();
    const signal = AbortSignal.any([this.signal, stop.signal]);
    const results: Result[] = [];
    let failure: { thrown: unknown } | undefined;
    let next = 0;
    const lane = async () => {
      for (let goesOn = true; goesOn && next < this.requests.length && !signal.aborted;) {
        const index = next++;
        const onProgress = ({ done, total }: JobProgress) => {
          if (!goesOn || done >= total || done < nextAt * total) return;
          // What is left of this job and the next one are worked on side by side.
          goesOn = false;
          begin();
        };
        const result = await this.#result(index, this.requests[index]!, signal, onProgress);
        results[index] = result;
        onResult?.(index, result);
      }
    };
    const lanes: Promise<void>[] = [];
    const begin = () => {
      const begun = lane().catch((thrown: unknown) => {
        failure ??= { thrown };
        stop.abort();
      });
      lanes.push(begun);
    };
    for (let count = 0; count < Math.min(ahead, this.requests.length); count++) begin();
    for (const each of lanes) await each;
    if (failure) throw failure.thrown;
    if (signal.aborted) throw new CancelledError('the run was stopped');
    return results;
  }

  /** Jobs that ended stay as they are. */
  async cancel(): Promise<void> {
    for (const id of this.ids) await this.jobs.cancel(id).catch(() => undefined);
  }

  async #result(
    index: number,
    request: Request,
    signal: AbortSignal,
    onProgress: (progress: JobProgress) => void,
  ): Promise<Result> {
    for (;;) {
      const submitted = await this.jobs.submit<Request, Result>(this.kind, request, signal);
      if (submitted.state !== 'succeeded') this.reused = false;
      try {
        return await this.jobs.result<Result>(submitted, signal, (record) => {
          if (record.state !== 'queued') this.#running = true;
          if (record.state === 'running' && record.progress) onProgress(record.progress);
          this.#show(index, record.progress, record.state === 'succeeded');
        });
      } catch (error) {
        // Another run with the same work was cancelled: this one still wants it.
        if (error instanceof CancelledError && !signal.aborted) continue;
        throw error;
      }
    }
  }

  #show(index: number, progress: JobProgress | undefined, ended: boolean): void {
    if (progress)
      this.#parts[index] = ended ? { ...progress, done: Math.max(progress.done, progress.total) } : progress;
    this.stage.progress(addedUp(this.#parts, this.planned), this.#running ? 'running' : 'queued');
  }
}

/**
 * What a stage shows of its jobs. A single job counts in units of its own (steps where the plan says epochs); several
 * add up to what is planned for all.
 */
export function addedUp(parts: readonly (JobProgress | undefined)[], planned: JobProgress): JobProgress {
  if (parts.length === 1) return parts[0] ?? planned;
  const done = parts.reduce((sum, part) => sum + (part?.done ?? 0), 0);
  const waitsFor = whereAllStandStill(parts);
  return { ...planned, done, ...(waitsFor !== undefined && { waitsFor }) };
}

/** Of those that have begun and aren't done. */
function whereAllStandStill(parts: readonly (JobProgress | undefined)[]): string | undefined {
  const open = parts.filter((part) => part !== undefined && part.done < part.total);
  return open.every((part) => part?.waitsFor !== undefined) ? open[0]?.waitsFor : undefined;
}

/** Stops jobs that a driver left behind. */
export async function cancelJobs(jobs: JobClient, ids: readonly string[]): Promise<void> {
  for (const id of ids) {
    const record = await jobs.get(id).catch(() => undefined);
    if (record && !isEnded(record.state)) await jobs.cancel(id);
  }
}
