import type { AnswerBatch, ImageBatch } from '@bbdistill/common/base';
import type { Report } from './report-schema.js';

/** Most images of one kind that the sample figure shows; more are left out. */
export const MAX_SAMPLES_PER_KIND = 20;

/** Images with what the teacher said of each, row by row. */
export interface AnsweredImages {
  images: ImageBatch;
  answers: AnswerBatch;
}

export interface EpochPoint {
  /** Counted from 1. */
  epoch: number;
  /** Mean over the epoch. */
  loss: number;
}

export interface ConfusionInput {
  /** [K,K] row by row, counts: row = reference class, column = the student's. */
  matrix: Int32Array;
  /** What the rows are: the true classes, or the teacher's where there are no true labels. */
  rows: 'true' | 'teacher';
}

/** Everything that the report shows; what a run doesn't have is left out. */
export interface ReportInput {
  report: Report;
  /** By class index; shorter or empty: numbers are shown. */
  classNames: readonly string[];
  classes: number;
  teacher: { name: string; adapter: string; endpoint?: string; answerKind?: string };
  samples: { real?: AnsweredImages; mixup?: AnsweredImages; cvae?: AnsweredImages };
  /** How the images of the phase `mixup` were made, e.g. `['MixUp', 'CutMix']`; empty: not known. */
  mixedBy: readonly string[];
  curves: {
    student: readonly EpochPoint[];
    /** The same network on the real images alone. */
    baseline?: readonly EpochPoint[];
    /** Reconstruction + KL, nats per image. */
    cvae?: readonly EpochPoint[];
  };
  confusion?: ConfusionInput;
  /** What the images are, e.g. `["real images", "2000 of 28x28 grey"]`. */
  dataset: readonly (readonly [name: string, value: string])[];
  /** The run's settings as shown, e.g. `["student.epochs", "50"]`. */
  settings: readonly (readonly [name: string, value: string])[];
}

/** Names the images of the phase `mixup`: `Mixed images (MixUp, CutMix)`. */
export function mixedTitle({ mixedBy }: Pick<ReportInput, 'mixedBy'>): string {
  return mixedBy.length === 1
    ? `${mixedBy[0]} images`
    : mixedBy.length === 0
      ? 'Mixed images'
      : `Mixed images (${mixedBy.join(', ')})`;
}

export interface RenderedFile {
  /** Below the output folder. */
  path: string;
  mediaType: string;
  bytes: Uint8Array;
}

export interface RenderedReport {
  files: RenderedFile[];
  /** What could not be drawn, and why; the report's notes have it too. */
  undrawn: string[];
}

export function classNameOf(classNames: readonly string[], index: number): string {
  return classNames[index] || String(index);
}
