import { BbdError } from '@bbdistill/common/base';
import { confusionFigure } from './confusion-figure.js';
import { curvesFigure } from './curves-figure.js';
import { PAGE_PALETTE, PRINT_PALETTE } from './drawing.js';
import type { Palette } from './drawing.js';
import { renderHtml } from './html.js';
import { mixedTitle } from './input.js';
import type { AnsweredImages, RenderedFile, ReportInput } from './input.js';
import { rasterise } from './png.js';
import { reportSchema } from './report-schema.js';
import type { Report } from './report-schema.js';
import { prepareSamples, samplesFigure } from './samples-figure.js';

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
 * A run's report as files: report.json, report.html (self-contained) and the figures as PNG. Reads nothing but the
 * fonts that it carries; the same input gives the same bytes.
 * @throws BbdError `internal` when the report doesn't fit its schema
 */
export async function renderReport(input: ReportInput): Promise<{ files: RenderedFile[] }> {
  const json = encodeReport(input.report);
  const { real, mixup, cvae } = input.samples;
  const kinds = [
    ['Real images', real],
    [mixedTitle(input), mixup],
    ['CVAE images', cvae],
  ] as const;
  const samples = await prepareSamples(kinds, input.classNames);
  const draw = (palette: Palette) => ({
    samples: samplesFigure(samples, palette),
    curves: curvesFigure(input, palette),
    confusion: confusionFigure(input.confusion, input.classes, input.classNames, palette),
  });
  const printed = draw(PRINT_PALETTE);
  const names = ['samples', 'curves', 'confusion'] as const;
  const pictures = await rasterise(names.map((name) => printed[name]));
  return {
    files: [
      { path: 'report.json', mediaType: 'application/json', bytes: json },
      { path: 'report.html', mediaType: 'text/html', bytes: encoder.encode(renderHtml(input, draw(PAGE_PALETTE))) },
      ...names.map((name, i) => ({ path: `${name}.png`, mediaType: 'image/png', bytes: pictures[i]! })),
    ],
  };
}

/** Images with the teacher's likeliest classes beside them, as a PNG; at most {@link MAX_SAMPLES_PER_KIND} are shown. */
export async function renderSamples(
  title: string,
  samples: AnsweredImages,
  classNames: readonly string[],
): Promise<Uint8Array> {
  const figure = samplesFigure(await prepareSamples([[title, samples]], classNames), PRINT_PALETTE);
  return (await rasterise([figure]))[0]!;
}
