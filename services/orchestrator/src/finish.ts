import { decodeAnswers, decodeImages, pixelsPerImage } from '@bbdistill/common';
import type { AnswerBatch, BlobStore, Clock, ImageBatch, ServiceClient } from '@bbdistill/common';
import type { ExportedFile__Output } from '@bbdistill/common/gen/bbdistill/v1/ExportedFile.js';
import type { LabelledShard__Output } from '@bbdistill/common/gen/bbdistill/v1/LabelledShard.js';
import { renderReport } from './report/index.js';
import type { ReportInput } from './report/index.js';
import { reportFigures } from './report-figures.js';
import type { RunOutcome } from './run.js';
import type { RunRecord } from './run-record.js';
import type { CheckedSpec } from './spec.js';
import type { DrivenRun } from './stages.js';

/** Images of each kind in the sample grid. */
export const SAMPLES_PER_KIND = 12;

export interface FinishSurroundings {
  blobs: BlobStore;
  teacher: ServiceClient<'bbdistill.v1.TeacherService'>;
  clock: Clock;
}

/** Draws the report of a run that went well, and stores its files beside the student's. */
export async function finishRun(
  { blobs, teacher, clock }: FinishSurroundings,
  run: DrivenRun,
  spec: CheckedSpec,
  outcome: RunOutcome,
): Promise<Partial<RunRecord>> {
  const { record } = run;
  const { lines } = await teacher.unary('Usage', { teacher: spec.teacher, runId: record.id });
  const report = reportFigures({ record, spec, outcome, usage: lines, endedAtMs: clock.nowMs() });
  const { evaluation, student, standardKd, fit } = outcome;
  const input: ReportInput = {
    report,
    samples: {
      real: await samplesOf(blobs, outcome.seeds),
      mixup: await samplesOf(blobs, outcome.mixed),
      cvae: await samplesOf(blobs, outcome.generated),
    },
    curves: {
      student: student.history,
      ...(standardKd && { standardKd: standardKd.history }),
      ...(fit && { cvae: fit.epochLoss }),
    },
    ...(evaluation && {
      confusion: {
        counts: evaluation.confusion,
        rows: evaluation.accuracy === undefined ? 'teacher' : 'true',
      },
    }),
    classNames: classNamesOf(spec),
    spec: record.spec,
  };
  const files: ExportedFile__Output[] = [...outcome.exported.files];
  let reportJson = '';
  for (const { path, bytes, mediaType } of renderReport(input)) {
    if (path === 'report.json') reportJson = new TextDecoder().decode(bytes);
    files.push({ path, blob: await blobs.put(bytes), mediaType });
  }
  return { artifacts: files, reportJson };
}

function classNamesOf({ classNames, classes }: CheckedSpec): string[] {
  return classNames.length > 0 ? classNames : Array.from({ length: classes }, (_, k) => String(k));
}

/** A few answered images, spread evenly over the first shard of one kind. */
async function samplesOf(
  blobs: BlobStore,
  shards: readonly LabelledShard__Output[],
): Promise<{ images: ImageBatch; answers: AnswerBatch } | undefined> {
  const first = shards[0];
  if (!first?.images?.blob || !first.answers?.blob) return undefined;
  const images = decodeImages(await blobs.get(first.images.blob.sha256));
  const answers = decodeAnswers(await blobs.get(first.answers.blob.sha256));
  const answered = Array.from({ length: images.count }, (_, n) => n).filter((n) => answers.answered[n] === 1);
  const step = Math.max(1, Math.floor(answered.length / SAMPLES_PER_KIND));
  const chosen = answered.filter((_, n) => n % step === 0).slice(0, SAMPLES_PER_KIND);
  const size = pixelsPerImage(images.shape);
  const pixels = new Uint8Array(chosen.length * size);
  const targets = new Float32Array(chosen.length * answers.classes);
  for (const [row, n] of chosen.entries()) {
    pixels.set(images.pixels.subarray(n * size, (n + 1) * size), row * size);
    targets.set(answers.targets.subarray(n * answers.classes, (n + 1) * answers.classes), row * answers.classes);
  }
  const count = chosen.length;
  return {
    images: { count, shape: images.shape, pixels },
    answers: { count, classes: answers.classes, targets, answered: new Uint8Array(count).fill(1) },
  };
}
