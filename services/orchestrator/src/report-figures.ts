import { BBDISTILL_VERSION, QUERY_COUNTS } from '@bbdistill/common';
import type { QueryCountName } from '@bbdistill/common';
import type { TeacherDescription__Output } from '@bbdistill/common/gen/bbdistill/v1/TeacherDescription.js';
import type { UsageLine__Output } from '@bbdistill/common/gen/bbdistill/v1/UsageLine.js';
import type { Report } from './report/index.js';
import type { RunOutcome } from './run.js';
import type { RunRecord, StageRecord } from './run-record.js';
import type { CheckedSpec } from './spec.js';

const BYTES_PER_KIB = 1024;

export interface FiguresInput {
  record: RunRecord;
  spec: CheckedSpec;
  outcome: RunOutcome;
  teacher: TeacherDescription__Output;
  /** The teacher's ledger of this run, a line a phase. */
  usage: readonly UsageLine__Output[];
  endedAtMs: number;
}

/** The figures of report.json (DESIGN.md §10). */
export function reportFigures({ record, spec, outcome, teacher, usage, endedAtMs }: FiguresInput): Report {
  const { evaluation, standardKdEvaluation, student } = outcome;
  const lineOf = (phase: string) => usage.filter((line) => line.phase === phase);
  const training = usage.filter((line) => line.phase !== 'PHASE_EVALUATION');
  return {
    schema: 1,
    run: { id: record.id, name: spec.name, seed: spec.seed, status: 'succeeded' },
    versions: {
      bbdistill: BBDISTILL_VERSION,
      node: process.version,
      platform: `${process.platform} ${process.arch}`,
      'training threads': String(student.threads),
    },
    student: {
      network: spec.student.network,
      recipe: spec.student.recipeName,
      parameters: student.parameters,
      engine: student.engine,
      steps: student.steps,
    },
    images: {
      real: outcome.real.images,
      synthetic: imagesIn(outcome.mixed) + imagesIn(outcome.generated),
      test: evaluation?.images ?? 0,
    },
    accuracy: evaluation?.accuracy ?? null,
    macroF1: evaluation?.macroF1 ?? null,
    agreementWithTeacher: evaluation?.agreement ?? null,
    teacherAccuracy: evaluation?.teacherAccuracy ?? null,
    calibrationError: evaluation?.calibrationError ?? null,
    baselines: {
      standardKd: standardKdEvaluation
        ? {
            accuracy: standardKdEvaluation.accuracy ?? null,
            macroF1: standardKdEvaluation.macroF1 ?? null,
            agreementWithTeacher: standardKdEvaluation.agreement ?? null,
          }
        : null,
    },
    queries: {
      ...countsOf(training),
      byPhase: {
        seeds: countsOf(lineOf('PHASE_SEEDS')),
        mixup: countsOf(lineOf('PHASE_MIXUP')),
        cvae: countsOf(lineOf('PHASE_CVAE')),
      },
      evaluation: countsOf(lineOf('PHASE_EVALUATION')),
    },
    cost: {
      amount: costOf(usage),
      training: costOf(training),
      // No price, no currency: the report then says that it was free.
      currency: teacher.pricePerImageMicros > 0 || teacher.pricePerCallMicros > 0 ? teacher.currency : '',
    },
    seconds: {
      label: secondsOf(record.stages, (name) => name.startsWith('label-')),
      fit: secondsOf(record.stages, (name) => name === 'fit-cvae'),
      synthesise: secondsOf(record.stages, (name) => name === 'mix' || name === 'generate-cvae'),
      train: secondsOf(record.stages, (name) => name.startsWith('train')),
      evaluate: secondsOf(record.stages, (name) => name.startsWith('evaluate')),
      total: (endedAtMs - (record.startedAtMs ?? endedAtMs) - (record.idleMs ?? 0)) / 1000,
    },
    peakRssBytes: process.resourceUsage().maxRSS * BYTES_PER_KIB,
    notes: notesOn(outcome, countsOf(training)),
  };
}

/** What a reader of the figures has to know. */
function notesOn(
  { seeds, mixed, generated, evaluation }: RunOutcome,
  { abstained, completed, dropped }: Counts,
): string[] {
  const shards = [...seeds, ...mixed, ...generated];
  const unanswered = shards.reduce((sum, { answers }) => sum + (answers?.unanswered ?? 0), 0);
  const images = imagesIn(shards);
  const notes: string[] = [];
  if (unanswered > 0) {
    const said = abstained > 0 ? ` (of ${abstained} it said that they are no class)` : '';
    notes.push(
      `the teacher gave no usable answer for ${unanswered} of ${images} images${said}: the student learnt without them`,
    );
  }
  if (completed > 0)
    notes.push(`of ${completed} answers the teacher gave a part only: the rest was filled in as declared`);
  if (evaluation && evaluation.teacherImages > 0 && evaluation.teacherImages < evaluation.images) {
    notes.push(
      `agreement and the teacher's accuracy are of the ${evaluation.teacherImages} of ${evaluation.images} test images that ` +
        'it has answered (evaluation.teacherImages)',
    );
  }
  if (dropped > 0) notes.push(`of ${dropped} answers a part was left out: it was of labels that are no class here`);
  return notes;
}

function imagesIn(shards: RunOutcome['mixed']): number {
  return shards.reduce((sum, { images }) => sum + (images?.images ?? 0), 0);
}

type Counts = Record<QueryCountName, number>;

function countsOf(lines: readonly UsageLine__Output[]): Counts {
  const total = (name: QueryCountName) => lines.reduce((sum, { counts }) => sum + (counts?.[name] ?? 0), 0);
  return Object.fromEntries(QUERY_COUNTS.map((name) => [name, total(name)])) as Counts;
}

/** In units of the currency. */
function costOf(lines: readonly UsageLine__Output[]): number {
  return lines.reduce((sum, { costMicros }) => sum + costMicros, 0) / 1e6;
}

/** Seconds in which at least one of the stages was under way, over all attempts of the run. */
export function secondsOf(stages: readonly StageRecord[], wanted: (name: string) => boolean): number {
  const spans = stages
    .filter((stage) => wanted(stage.name))
    .flatMap(({ startedAtMs, endedAtMs, earlier = [] }) =>
      startedAtMs === undefined || endedAtMs === undefined ? earlier : [...earlier, { startedAtMs, endedAtMs }],
    )
    .map(({ startedAtMs, endedAtMs }) => [startedAtMs, endedAtMs] as const)
    .sort(([a], [b]) => a - b);
  let totalMs = 0;
  let coveredUntilMs = -Infinity;
  for (const [startMs, endMs] of spans) {
    totalMs += Math.max(0, endMs - Math.max(startMs, coveredUntilMs));
    coveredUntilMs = Math.max(coveredUntilMs, endMs);
  }
  return totalMs / 1000;
}
