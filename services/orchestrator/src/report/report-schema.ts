import { z } from 'zod';

/** Version of report.json: raised when a field changes its meaning or goes, not when one is added. */
export const REPORT_SCHEMA = 1;

const count = z.number().int().min(0);
/** 0..1; null where there is nothing to measure by. */
const share = z.number().min(0).max(1).nullable();
const seconds = z.number().min(0);

/**
 * Images, except `retried` (calls).
 * asked + reasked = cached + coalesced + billed + failed + unresolved; billed = settled + unknown.
 */
export const queryCountsSchema = z.looseObject({
  asked: count,
  cached: count,
  coalesced: count,
  billed: count,
  failed: count,
  retried: count,
  unresolved: count,
  settled: count.optional(),
  unknown: count,
  /** Asked once more because the first answer was lost: paid for twice. 0 unless a call was lost. */
  reasked: count.optional(),
  /** Of the answers: those that name no class, and whose image isn't trained on. */
  abstained: count.optional(),
  /** Of the targets: those in which mass was filled in, or left out, to make a distribution. */
  completed: count.optional(),
  dropped: count.optional(),
});

/** `report.json`. Fields may be added; unknown ones are kept. */
export const reportSchema = z.looseObject({
  schema: z.literal(REPORT_SCHEMA),
  run: z.looseObject({ id: z.string(), name: z.string(), seed: count, status: z.string() }),
  /** Name → version, e.g. `bbdistill`, `node`. */
  versions: z.record(z.string(), z.string()),
  student: z.looseObject({ network: z.string(), parameters: count, engine: z.string() }),
  accuracy: share,
  macroF1: share,
  agreementWithTeacher: share,
  teacherAccuracy: share,
  /** Expected calibration error of the student, 15 bins. */
  calibrationError: share.optional(),
  baselines: z.looseObject({
    /** The same student on the real images and the teacher's answers alone; null where it wasn't trained. */
    standardKd: z
      .looseObject({
        accuracy: share,
        macroF1: share.optional(),
        agreementWithTeacher: share.optional(),
        queries: count.optional(),
      })
      .nullable(),
  }),
  /** Evaluation apart: its queries are in `evaluation` only. */
  queries: queryCountsSchema.extend({
    byPhase: z.looseObject({ seeds: queryCountsSchema, mixup: queryCountsSchema, cvae: queryCountsSchema }),
    evaluation: queryCountsSchema,
  }),
  /**
   * In units of the currency, which is empty where the teacher has no price. `training` is the part of `amount` that
   * evaluation has nothing to do with.
   */
  cost: z.looseObject({
    amount: z.number().min(0),
    training: z.number().min(0).optional(),
    currency: z.string(),
  }),
  seconds: z.looseObject({
    label: seconds,
    fit: seconds,
    synthesise: seconds,
    train: seconds,
    evaluate: seconds,
    total: seconds,
  }),
  peakRssBytes: count,
  /** Images used: real ones, synthetic ones, test images. */
  images: z.looseObject({ real: count, synthetic: count, test: count }).optional(),
  notes: z.array(z.string()).optional(),
});

export type QueryCountsReport = z.infer<typeof queryCountsSchema>;
export type Report = z.infer<typeof reportSchema>;
