import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { FailedPreconditionError, encodeTensors, silentLogger, systemClock } from '@bbdistill/common';
import type { ServiceClient } from '@bbdistill/common';
import type { EvaluateResult__Output } from '@bbdistill/common/gen/bbdistill/v1/EvaluateResult.js';
import type { UsageLine__Output } from '@bbdistill/common/gen/bbdistill/v1/UsageLine.js';
import { REPORT_FILE, confusionOf, finishRun } from './finish.js';
import type { FinishSurroundings } from './finish.js';
import { RecentReports } from './recent-reports.js';
import { drawReport } from './report/index.js';
import type { Report } from './report/index.js';
import type { RunOutcome } from './run.js';
import type { DrivenRun } from './stages.js';
import { aSpec, aTeacher } from './testing/specs.js';

const STUDENT = { path: 'student/model.onnx', blob: { sha256: 'ab', sizeBytes: 2 }, mediaType: 'application/onnx' };

const evaluated = (over: Partial<EvaluateResult__Output> = {}): EvaluateResult__Output => ({
  images: 10,
  teacherImages: 0,
  confusion: { sha256: 'ones', sizeBytes: 0 },
  probabilities: null,
  seconds: 1,
  ...over,
});

function anOutcome(): RunOutcome {
  const trained = { weights: null, history: [], steps: 1, seconds: 1, engine: 'wasm', parameters: 9, threads: 1 };
  return {
    real: { id: 'real', shards: [], labels: null, images: 20, shape: null, classNames: [] },
    seeds: [],
    mixed: [],
    generated: [],
    fit: undefined,
    student: { ...trained, checkpoint: null },
    standardKd: undefined,
    evaluation: evaluated(),
    standardKdEvaluation: undefined,
    exported: { files: [STUDENT], seconds: 1 },
  };
}

function memoryBlobs(): FinishSurroundings['blobs'] {
  const matrix = (value: number) =>
    encodeTensors({
      metadata: {},
      tensors: { confusion: { dtype: 'I32', shape: [10, 10], data: new Int32Array(100).fill(value) } },
    });
  const kept = new Map<string, Uint8Array>([
    ['ones', matrix(1)],
    ['zeros', matrix(0)],
  ]);
  return {
    async put(bytes) {
      const sha256 = createHash('sha256').update(bytes).digest('hex');
      kept.set(sha256, bytes);
      return { sha256, sizeBytes: bytes.length };
    },
    get: async (sha256) => kept.get(sha256)!,
  };
}

/** @returns the paths of the run's files, and its report */
async function finished(
  surroundings: Partial<FinishSurroundings> = {},
  lines: Partial<UsageLine__Output>[] = [],
  evaluation: Partial<EvaluateResult__Output> = {},
) {
  const blobs = memoryBlobs();
  const reports = new RecentReports(blobs);
  const teacher = {
    unary: async (method: string) => (method === 'Usage' ? { lines } : aTeacher({ pricePerImageMicros: 1500 })),
  } as unknown as ServiceClient<'bbdistill.v1.TeacherService'>;
  const run = { record: { id: 'run', stages: [] } } as unknown as DrivenRun;
  const { signal } = new AbortController();
  const around = { blobs, reports, teacher, clock: systemClock, logger: silentLogger, signal, ...surroundings };
  const { artifacts = [] } = await finishRun(around, run, aSpec(), {
    ...anOutcome(),
    evaluation: evaluated(evaluation),
  });
  const report = artifacts.find(({ path }) => path === REPORT_FILE)!;
  return {
    paths: artifacts.map(({ path }) => path),
    report: JSON.parse(await reports.read(report.blob!.sha256)) as Report,
  };
}

describe('finishRun', () => {
  it('figures that can not be drawn are a note and a warning, the student is kept', async () => {
    const died = new FailedPreconditionError('the process ended with SIGKILL', { code: 'WORKER_DIED' });
    const warned: unknown[] = [];
    const logger = { ...silentLogger, warn: (fields: unknown) => void warned.push(fields) };
    const { paths, report } = await finished({
      logger,
      draw: (input, signal) => drawReport(input, signal, () => Promise.reject(died)),
    });
    expect(paths).toEqual([STUDENT.path, REPORT_FILE, 'report.html']);
    expect(report.notes).toContainEqual(expect.stringMatching(/confusion matrix could not be drawn: .* SIGKILL/));
    expect(warned).toEqual([{ runId: 'run', undrawn: report.notes }]);
  });

  it('says of how many test images the teacher’s part is, where it was asked about some', async () => {
    const { report } = await finished({}, [], { teacherImages: 4 });
    expect(report.notes).toContainEqual(expect.stringMatching(/are of the 4 of 10 test images/));
    expect((await finished({}, [], { teacherImages: 10 })).report.notes).toEqual([]);
  });

  it('the cost is that of all, with the part of the training', async () => {
    const { paths, report } = await finished({}, [
      { phase: 'PHASE_SEEDS', costMicros: 3_000_000 },
      { phase: 'PHASE_MIXUP', costMicros: 36_000_000 },
      { phase: 'PHASE_EVALUATION', costMicros: 3_000_000 },
    ]);
    expect(report.cost).toEqual({ amount: 42, training: 39, currency: 'USD' });
    expect(paths).toContain('confusion.png');
  });
});

describe('confusionOf', () => {
  const of = (evaluation?: EvaluateResult__Output) => confusionOf(memoryBlobs(), evaluation);

  it('is nothing where no test image has a label or an answer', async () => {
    expect(await of()).toEqual({});
    expect(await of(evaluated({ confusion: { sha256: 'zeros', sizeBytes: 0 } }))).toEqual({});
  });

  it('has rows of the true classes, or the teacher’s', async () => {
    expect(await of(evaluated({ accuracy: 0 }))).toMatchObject({ confusion: { rows: 'true' } });
    expect(await of(evaluated())).toMatchObject({ confusion: { rows: 'teacher' } });
  });
});
