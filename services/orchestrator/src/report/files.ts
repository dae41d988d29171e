import { BbdError } from '@bbdistill/common/base';
import { PAGE_PALETTE, remark } from './drawing.js';
import type { Figure } from './drawing.js';
import { renderHtml } from './html.js';
import type { RenderedFile, RenderedReport, ReportInput } from './input.js';
import { reportSchema } from './report-schema.js';
import type { Report } from './report-schema.js';

/** In the order of the page. */
export const FIGURES = ['samples', 'curves', 'confusion'] as const;
export type FigureName = (typeof FIGURES)[number];

/** A figure as the page shows it and as a PNG, or why it could not be drawn. */
export type DrawnFigure = { onPage: Figure; png: Uint8Array } | { reason: string };

const SHOWN_NAMES: Record<FigureName, string> = {
  samples: 'samples',
  curves: 'learning curves',
  confusion: 'confusion matrix',
};

const encoder = new TextEncoder();

/**
 * `report.json`, indented, keys in the order of the schema.
 * @throws BbdError `internal` naming the field that doesn't fit the schema
 */
export function encodeReport(report: Report): Uint8Array {
  const checked = reportSchema.safeParse(report);
  if (!checked.success) {
    const issue = checked.error.issues[0];
    throw new BbdError('internal', `report.json: ${issue?.path.join('.')}: ${issue?.message}`, {
      code: 'REPORT_SCHEMA',
      cause: checked.error,
    });
  }
  return encoder.encode(`${JSON.stringify(checked.data, null, 2)}\n`);
}

/**
 * The files of a report from its figures. One that could not be drawn is a note in the report: the student and all that
 * was paid for must not be lost for the want of a picture.
 * @throws BbdError `internal` when the report doesn't fit its schema
 */
export function filesOf(input: ReportInput, figures: Record<FigureName, DrawnFigure>): RenderedReport {
  const onPage = {} as Record<FigureName, Figure>;
  const pictures: RenderedFile[] = [];
  const undrawn: string[] = [];
  for (const name of FIGURES) {
    const figure = figures[name];
    if ('png' in figure) {
      onPage[name] = figure.onPage;
      pictures.push({ path: `${name}.png`, mediaType: 'image/png', bytes: figure.png });
      continue;
    }
    undrawn.push(`the ${SHOWN_NAMES[name]} could not be drawn: ${figure.reason}`);
    onPage[name] = remark('This figure could not be drawn.', `No ${SHOWN_NAMES[name]}`, PAGE_PALETTE);
  }
  const notes = [...(input.report.notes ?? []), ...undrawn];
  const report = undrawn.length > 0 ? { ...input.report, notes } : input.report;
  const files = [
    { path: 'report.json', mediaType: 'application/json', bytes: encodeReport(report) },
    { path: 'report.html', mediaType: 'text/html', bytes: encoder.encode(renderHtml({ ...input, report }, onPage)) },
    ...pictures,
  ];
  return { files, undrawn };
}
