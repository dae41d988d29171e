import { systemClock } from '@bbdistill/common/base';
import type { ImageBatch } from '@bbdistill/common/base';
import type { EpochMetrics__Output } from '@bbdistill/common/gen/bbdistill/v1/EpochMetrics.js';
import { DEFAULT_ADAM, createEngine, decodeWeights, encodeWeights, networkOfWeights } from '@bbdistill/compute';
import type { EngineName, GpuWish } from '@bbdistill/compute';
import { decodeCheckpoint, encodeCheckpoint } from './checkpoint.js';
import { evaluateStudent } from './evaluate.js';
import type { Evaluation, TeacherAnswers } from './evaluate.js';
import { exportStudent } from './export.js';
import type { BundleFile, BundleOptions } from './export.js';
import { trainStudent } from './train.js';
import type { TrainingData, TrainingPlan } from './train.js';

/** Which engine a task asks for. */
export interface EngineWish {
  engine: EngineName;
  gpu: GpuWish;
}

export interface TrainTaskInput extends EngineWish {
  data: TrainingData;
  plan: TrainingPlan;
  checkpointIntervalMs: number;
  /** An encoded checkpoint to go on from. */
  checkpoint: Uint8Array | undefined;
}

export interface TrainTaskHooks {
  signal: AbortSignal;
  progress: (step: number, totalSteps: number, loss: number | undefined) => void;
  /** Gets an encoded checkpoint. */
  saveCheckpoint: (checkpoint: Uint8Array) => void;
}

export interface TrainTaskOutput {
  /** Encoded; of a part that is not the last. */
  checkpoint?: Uint8Array;
  /** Encoded weights. */
  weights: Uint8Array;
  history: EpochMetrics__Output[];
  steps: number;
  parameters: number;
  threads: number;
  engine: string;
}

export interface EvaluateTaskInput extends EngineWish {
  /** Encoded weights. */
  weights: Uint8Array;
  images: ImageBatch;
  labels: Int32Array | undefined;
  teacher: TeacherAnswers | undefined;
}

export interface EvaluateTaskOutput {
  evaluation: Evaluation;
  /** [N,K] */
  probabilities: Float32Array;
}

export interface ExportTaskInput {
  /** Encoded weights. */
  weights: Uint8Array;
  options: BundleOptions;
}

/** The work that is too long for the thread that answers calls. */
export interface TrainerTasks {
  train(input: TrainTaskInput, hooks: TrainTaskHooks): Promise<TrainTaskOutput>;
  evaluate(input: EvaluateTaskInput, signal: AbortSignal): Promise<EvaluateTaskOutput>;
  export(input: ExportTaskInput, signal: AbortSignal): Promise<BundleFile[]>;
}

/** Does the work where it is called. */
export const tasksInThisThread: TrainerTasks = {
  async train({ engine: name, gpu, data, plan, checkpointIntervalMs, checkpoint }, hooks) {
    const engine = await createEngine(name, gpu);
    const trained = await trainStudent(
      engine,
      data,
      plan,
      {
        clock: systemClock,
        signal: hooks.signal,
        progress: (step, totalSteps, loss) => hooks.progress(step, totalSteps, loss),
        saveCheckpoint: (at) => hooks.saveCheckpoint(encodeCheckpoint(at)),
        checkpointIntervalMs,
      },
      checkpoint && decodeCheckpoint(checkpoint),
    );
    const { network, topology = '' } = plan;
    const { weights, checkpoint: left, ...rest } = trained;
    return {
      ...rest,
      ...(left && { checkpoint: encodeCheckpoint(left) }),
      weights: encodeWeights({
        network: network.name,
        ...(topology !== '' && { topology }),
        classes: network.classes,
        shape: network.input,
        weights,
      }),
      engine: `${engine.description}, ${trained.threads} thread${trained.threads === 1 ? '' : 's'}`,
    };
  },

  async evaluate({ engine: name, gpu, weights, images, labels, teacher }) {
    const engine = await createEngine(name, gpu);
    const trained = decodeWeights(weights);
    const network = networkOfWeights(trained);
    const loss = { balance: 0, temperature: 1 };
    const student = engine.createClassifier({ network, batch: 1, seed: 0, loss, optimiser: DEFAULT_ADAM });
    try {
      student.setWeights(trained.weights);
      const probabilities = student.predict(images.pixels, images.count);
      return { probabilities, evaluation: evaluateStudent(probabilities, trained.classes, labels, teacher) };
    } finally {
      student.dispose();
    }
  },

  async export({ weights, options }) {
    return exportStudent(decodeWeights(weights), options);
  },
};

/** What a worker thread is asked to do. */
export type WorkerInput =
  | ({ task: 'train' } & TrainTaskInput)
  | ({ task: 'evaluate' } & EvaluateTaskInput)
  | ({ task: 'export' } & ExportTaskInput);

export type WorkerOutput = TrainTaskOutput | EvaluateTaskOutput | BundleFile[];

/** What a worker thread tells while it works. */
export type WorkerMessage = { step: number; totalSteps: number; loss: number | undefined } | { checkpoint: Uint8Array };
