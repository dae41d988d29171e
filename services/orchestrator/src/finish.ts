import {
  RUN_PATIENCE_MS,
  decodeAnswers,
  decodeImages,
  decodeTensors,
  describeShape,
  patiently,
  pixelsPerImage,
} from '@bbdistill/common';
import type { AnswerBatch, BlobStore, Clock, ImageBatch, Logger, ServiceClient } from '@bbdistill/common';
import type { ExportedFile__Output } from '@bbdistill/common/gen/bbdistill/v1/ExportedFile.js';
import type { LabelledShard__Output } from '@bbdistill/common/gen/bbdistill/v1/LabelledShard.js';
import { drawReport } from './report/index.js';
import type { ReportInput } from './report/index.js';
import { reportFigures } from './report-figures.js';
import type { RecentReports } from './recent-reports.js';
import type { RunOutcome } from './run.js';
import type { RunRecord } from './run-record.js';
import type { CheckedSpec } from './spec.js';
import type { DrivenRun } from './stages.js';

/** Which of a run's files `GetRun` brings along. */
export const REPORT_FILE = 'report.json';
/** Images of each kind in the sample grid. */
export const SAMPLES_PER_KIND = 20;

export interface FinishSurroundings {
  blobs: Pick<BlobStore, 'get' | 'put'>;
  reports: RecentReports;
  teacher: ServiceClient<'bbdistill.v1.TeacherService'>;
  clock: Clock;
  logger: Logger;
  signal: AbortSignal;
  /** Default {@link drawReport}. */
  draw?: typeof drawReport;
}

/** Draws the report of a run that went well, and stores its files beside the student's. */
export async function finishRun(
  { blobs, reports, teacher, clock, logger, signal, draw = drawReport }: FinishSurroundings,
  run: DrivenRun,
  spec: CheckedSpec,
  outcome: RunOutcome,
): Promise<Partial<RunRecord>> {
  const { record } = run;
  const patience = { clock, signal, patienceMs: RUN_PATIENCE_MS };
  const { lines } = await patiently(
    () => teacher.unary('Usage', { teacher: spec.teacher, runId: record.id }, { signal }),
    patience,
  );
  const described = await patiently(
    () => teacher.unary('DescribeTeacher', { teacher: spec.teacher }, { signal }),
    patience,
  );
  const report = reportFigures({ record, spec, outcome, teacher: described, usage: lines, endedAtMs: clock.nowMs() });
  const { evaluation, student, standardKd, fit } = outcome;
  const [real, mixup, cvae] = [
    await samplesOf(blobs, outcome.seeds),
    await samplesOf(blobs, outcome.mixed),
    await samplesOf(blobs, outcome.generated),
  ];
  const input: ReportInput = {
    report,
    classNames: spec.classNames,
    classes: spec.classes,
    teacher: {
      name: spec.teacher,
      adapter: described.adapter,
      endpoint: described.endpoint,
      answerKind: described.answerKind,
    },
    samples: { ...(real && { real }), ...(mixup && { mixup }), ...(cvae && { cvae }) },
    mixedBy: mixedBy(spec),
    curves: {
      student: student.history,
      ...(standardKd && { baseline: standardKd.history }),
      ...(fit && { cvae: fit.history }),
    },
    ...(await confusionOf(blobs, evaluation)),
    dataset: datasetFacts(outcome),
    settings: settingsShown(spec),
  };
  const files: ExportedFile__Output[] = [...outcome.exported.files];
  const drawn = await draw(input, signal);
  if (drawn.undrawn.length > 0) {
    logger.warn({ runId: record.id, undrawn: drawn.undrawn }, 'the report of a run goes without some of its figures');
  }
  for (const { path, bytes, mediaType } of drawn.files) {
    const blob = await blobs.put(bytes);
    if (path === REPORT_FILE) reports.keep(blob.sha256, bytes);
    files.push({ path, blob, mediaType });
  }
  return { artifacts: files };
}

/** Nothing where no test image has a label or an answer: the matrix is all zeros then. */
export async function confusionOf(
  blobs: Pick<BlobStore, 'get'>,
  evaluation: RunOutcome['evaluation'],
): Promise<Pick<ReportInput, 'confusion'>> {
  if (!evaluation?.confusion) return {};
  const { tensors } = decodeTensors(await blobs.get(evaluation.confusion.sha256));
  const matrix = Int32Array.from(tensors['confusion']!.data);
  if (!matrix.some((images) => images > 0)) return {};
  return { confusion: { matrix, rows: evaluation.accuracy === undefined ? 'teacher' : 'true' } };
}

function mixedBy({ synthesis }: CheckedSpec): string[] {
  const shares: [string, number][] = [
    ['MixUp', synthesis.mixupShare],
    ['CutMix', synthesis.cutmixShare],
    ['moved real images', synthesis.augmentedShare],
  ];
  return shares.filter(([, share]) => share > 0).map(([name]) => name);
}

function datasetFacts({ real, mixed, generated, evaluation }: RunOutcome): [string, string][] {
  const shape = real.shape ? ` of ${describeShape(real.shape)}` : '';
  const count = (shards: readonly LabelledShard__Output[]) =>
    String(shards.reduce((sum, { images }) => sum + (images?.images ?? 0), 0));
  return [
    ['real images', `${real.images}${shape}, taken as unlabelled`],
    ['mixed images', count(mixed)],
    ['CVAE images', count(generated)],
    ['test images', evaluation ? String(evaluation.images) : 'none'],
  ];
}

/** What the run was told, flat and in words that are also flags. */
function settingsShown({ student, synthesis, evaluation, engine, seed }: CheckedSpec): [string, string][] {
  const { cvae, source, ...shares } = synthesis;
  const flat = (prefix: string, table: object) =>
    Object.entries(table)
      .filter(([name]) => !name.startsWith('_'))
      .map(([name, value]): [string, string] => [`${prefix}.${name}`, String(value)]);
  return [
    ['student.network', student.network],
    ['student.recipe', student.recipeName],
    ...flat('student', student.recipe),
    ...flat('synthesis', shares),
    ...flat('synthesis.source', source ?? {}),
    ...flat('synthesis.cvae', cvae),
    ...flat('evaluation', evaluation),
    ['engine', engine],
    ['seed', String(seed)],
  ];
}

/** A few answered images, spread evenly over the first shard of one kind. */
async function samplesOf(
  blobs: Pick<BlobStore, 'get'>,
  shards: readonly LabelledShard__Output[],
): Promise<{ images: ImageBatch; answers: AnswerBatch } | undefined> {
  const first = shards[0];
  if (!first?.images?.blob || !first.answers?.blob) return undefined;
  const images = decodeImages(await blobs.get(first.images.blob.sha256));
  const answers = decodeAnswers(await blobs.get(first.answers.blob.sha256));
  const answered = Array.from({ length: images.count }, (_, n) => n).filter((n) => answers.answered[n] === 1);
  const wanted = Math.min(SAMPLES_PER_KIND, answered.length);
  const chosen = Array.from(
    { length: wanted },
    (_, n) => answered[Math.floor(((n + 0.5) * answered.length) / wanted)]!,
  );
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
