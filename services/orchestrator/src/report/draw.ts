import { serveWorkerTask } from '@bbdistill/common/base';
import type { AnsweredImages, RenderedReport, ReportInput } from './input.js';
import { renderReport, renderSamples } from './render.js';

/** What is drawn; `nothing` by a process that is to be ready. */
export type DrawInput =
  | 'nothing'
  | { report: ReportInput }
  | { samples: { title: string; samples: AnsweredImages; classNames: readonly string[] } };

/** As the input is of a report, of samples, or of nothing. */
export type DrawResult = RenderedReport | Uint8Array | undefined;

serveWorkerTask<DrawInput, DrawResult>(async (input) => {
  if (input === 'nothing') return undefined;
  if ('report' in input) return renderReport(input.report);
  const { title, samples, classNames } = input.samples;
  return renderSamples(title, samples, classNames);
});
