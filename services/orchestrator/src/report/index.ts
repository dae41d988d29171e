export { MAX_SAMPLES_PER_KIND } from './input.js';
export type { AnsweredImages, ConfusionInput, EpochPoint, RenderedFile, RenderedReport, ReportInput } from './input.js';
export { REPORT_SCHEMA, reportSchema } from './report-schema.js';
export type { QueryCountsReport, Report } from './report-schema.js';
export { drawReport, drawSamples, prepareToDraw } from './draw-beside.js';
export { renderTable } from './table.js';
