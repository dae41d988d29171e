import {
  InvalidArgumentError,
  decodeAnswers,
  decodeLabels,
  describeShape,
  encodeTensors,
  requiredBlob,
  requiredField,
  sameShape,
  thinnedHistory,
} from '@bbdistill/common';
import type { BlobStore, Clock, JobHandler, StateStore } from '@bbdistill/common';
import type { AnswerShard__Output } from '@bbdistill/common/gen/bbdistill/v1/AnswerShard.js';
import type { EvaluateRequest__Output } from '@bbdistill/common/gen/bbdistill/v1/EvaluateRequest.js';
import type { EvaluateResult__Output } from '@bbdistill/common/gen/bbdistill/v1/EvaluateResult.js';
import type { ExportedFile__Output } from '@bbdistill/common/gen/bbdistill/v1/ExportedFile.js';
import type { ExportRequest__Output } from '@bbdistill/common/gen/bbdistill/v1/ExportRequest.js';
import type { ExportResult__Output } from '@bbdistill/common/gen/bbdistill/v1/ExportResult.js';
import type { TrainRequest__Output } from '@bbdistill/common/gen/bbdistill/v1/TrainRequest.js';
import type { TrainResult__Output } from '@bbdistill/common/gen/bbdistill/v1/TrainResult.js';
import { decodeWeights, readAnswerHashes, readImages, threadsFault } from '@bbdistill/compute';
import type { EngineName, GpuWish } from '@bbdistill/compute';
import { CheckpointStore, CheckpointWriter } from './checkpoint-store.js';
import type { TeacherAnswers } from './evaluate.js';
import { KeptImages } from './kept-images.js';
import { assertEvaluateRequest, assertExportRequest, assertTrainRequest, networkOf } from './requests.js';
import type { TrainerTasks } from './tasks.js';
import { PART_LINGER_MS, isMoreToCome } from './train.js';

export const JOB_KINDS = ['train', 'evaluate', 'export'] as const;

export interface TrainerJobOptions {
  blobs: BlobStore;
  state: StateStore;
  clock: Clock;
  tasks: TrainerTasks;
  /** What `auto` in a request means here. */
  engine: EngineName;
  gpu: GpuWish;
  /** What 0 in a request means here, on engines that can share a batch. */
  threads: number;
  checkpointIntervalMs: number;
}

/** One handler per kind of job; requests and results are the wire messages as plain JSON. */
export type TrainerJobHandlers = {
  train: JobHandler<TrainRequest__Output, TrainResult__Output>;
  evaluate: JobHandler<EvaluateRequest__Output, EvaluateResult__Output>;
  export: JobHandler<ExportRequest__Output, ExportResult__Output>;
};

export function trainerJobs(options: TrainerJobOptions): TrainerJobHandlers {
  const { blobs, state, clock, tasks, engine, gpu, threads, checkpointIntervalMs } = options;
  const checkpoints = new CheckpointStore(blobs, state);
  const kept = new KeptImages(blobs, PART_LINGER_MS);
  const chosen = (wanted: EngineName) => ({ engine: wanted === 'auto' ? engine : wanted, gpu });
  const threadsOn = (name: EngineName) => (threadsFault(name, threads) === undefined ? threads : 1);
  const timed = () => {
    const startedMs = clock.monotonicMs();
    return () => (clock.monotonicMs() - startedMs) / 1000;
  };
  return {
    async train(request, context) {
      const seconds = timed();
      const wanted = assertTrainRequest(request);
      const recipe = requiredField('recipe', request.recipe);
      const part = request.part ?? undefined;
      const data = await kept.read(request.data, request.classes, isMoreToCome(part));
      const writer = new CheckpointWriter((bytes) => checkpoints.save(context.jobId, bytes));
      const before = part?.checkpoint ? await blobs.get(part.checkpoint.sha256) : undefined;
      const checkpoint = (await checkpoints.load(context.jobId)) ?? before;
      const trained = await tasks
        .train(
          {
            data,
            plan: {
              network: networkOf(request),
              topology: request.topology,
              recipe,
              seed: request.seed,
              threads: request.threads || threadsOn(chosen(wanted).engine),
              ...(part && { part }),
            },
            checkpointIntervalMs,
            checkpoint,
            ...chosen(wanted),
          },
          {
            signal: context.signal,
            progress: (done, total, loss) =>
              context.progress({ unit: 'steps', done, total, ...(loss !== undefined && { loss }) }),
            saveCheckpoint: (bytes) => writer.write(bytes),
          },
        )
        // Whoever goes on with this job must not meet a checkpoint that is still being written.
        .finally(() => writer.settled());
      // A store that can't keep a checkpoint won't keep the weights either: say so now, with its own reason.
      if (writer.failure) throw writer.failure;
      const weights = await blobs.put(trained.weights);
      await checkpoints.clear(context.jobId);
      return {
        weights,
        history: thinnedHistory(trained.history),
        steps: trained.steps,
        seconds: seconds(),
        engine: trained.engine,
        parameters: trained.parameters,
        threads: trained.threads,
        checkpoint: trained.checkpoint ? await blobs.put(trained.checkpoint) : null,
      };
    },

    async evaluate(request, context) {
      const seconds = timed();
      const wanted = assertEvaluateRequest(request);
      const weights = await blobs.get(requiredBlob('weights', request.weights).sha256);
      const { classes, shape } = decodeWeights(weights);
      const images = await readImages(blobs, request.images);
      if (!sameShape(images.shape, shape)) {
        throw new InvalidArgumentError(
          `the student takes images of ${describeShape(shape)}, not ${describeShape(images.shape)}: resize them`,
        );
      }
      const labels = request.labels ? decodeLabels(await blobs.get(request.labels.sha256)) : undefined;
      const teacher = await teacherAnswers(blobs, request.answers, classes);
      const { evaluation, probabilities } = await tasks.evaluate(
        { weights, images, labels, teacher, ...chosen(wanted) },
        context.signal,
      );
      context.progress({ unit: 'images', done: images.count, total: images.count });
      const { confusion, ...figures } = evaluation;
      const tensors = { confusion: { dtype: 'I32', shape: [classes, classes], data: confusion } } as const;
      return {
        ...figures,
        // With hundreds of classes it is more than a message may have.
        confusion: await blobs.put(encodeTensors({ metadata: {}, tensors })),
        probabilities: await blobs.put(
          encodeTensors({
            metadata: {},
            tensors: { probabilities: { dtype: 'F32', shape: [images.count, classes], data: probabilities } },
          }),
        ),
        seconds: seconds(),
      };
    },

    async export(request, context) {
      const seconds = timed();
      assertExportRequest(request);
      const weights = await blobs.get(requiredBlob('weights', request.weights).sha256);
      const { classes } = decodeWeights(weights);
      if (request.classNames.length !== 0 && request.classNames.length !== classes) {
        throw new InvalidArgumentError(
          `there are ${request.classNames.length} class names, but the student has ${classes} classes`,
        );
      }
      const data = request.data.length > 0 ? await readAnswerHashes(blobs, request.data, classes) : undefined;
      const bundle = await tasks.export(
        { weights, options: { name: request.name, classNames: request.classNames, data } },
        context.signal,
      );
      const files: ExportedFile__Output[] = [];
      for (const { path, mediaType, bytes } of bundle) files.push({ path, mediaType, blob: await blobs.put(bytes) });
      context.progress({ unit: 'files', done: files.length, total: files.length });
      return { files, seconds: seconds() };
    },
  };
}

async function teacherAnswers(
  blobs: BlobStore,
  shards: readonly AnswerShard__Output[],
  classes: number,
): Promise<TeacherAnswers | undefined> {
  if (shards.length === 0) return undefined;
  const targets: number[] = [];
  const answered: number[] = [];
  for (const shard of shards) {
    const batch = decodeAnswers(await blobs.get(requiredBlob('answers.blob', shard.blob).sha256));
    if (batch.classes !== classes) {
      throw new InvalidArgumentError(`the answers have ${batch.classes} classes, but the student has ${classes}`);
    }
    for (const value of batch.targets) targets.push(value);
    for (const flag of batch.answered) answered.push(flag);
  }
  return { targets: Float32Array.from(targets), answered: Uint8Array.from(answered) };
}
