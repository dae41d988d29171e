import { serveWorkerTask } from '@bbdistill/common/base';
import type { AnsweredImages, RenderedFile, ReportInput } from './input.js';
import { renderReport, renderSamples } from './render.js';

/** What is drawn; `nothing` by a process that is to be ready. */
export type DrawInput =
  | 'nothing'
  | { report: ReportInput }
  | { samples: { title: string; samples: AnsweredImages; classNames: readonly string[] } };

serveWorkerTask<DrawInput, RenderedFile[] | Uint8Array>(async (input) => {
  if (input === 'nothing') return [];
  if ('report' in input) return (await renderReport(input.report)).files;
  const { title, samples, classNames } = input.samples;
  return renderSamples(title, samples, classNames);
});
