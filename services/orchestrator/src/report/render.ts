import { asBbdError } from '@bbdistill/common/base';
import { confusionFigure } from './confusion-figure.js';
import { curvesFigure } from './curves-figure.js';
import { PAGE_PALETTE, PRINT_PALETTE } from './drawing.js';
import type { Figure, Palette } from './drawing.js';
import { filesOf } from './files.js';
import type { DrawnFigure } from './files.js';
import { mixedTitle } from './input.js';
import type { AnsweredImages, RenderedReport, ReportInput } from './input.js';
import { rasterise } from './png.js';
import { fittingColumns, prepareSamples, samplesFigure } from './samples-figure.js';

/**
 * A run's report as files: report.json, report.html (self-contained) and the figures as PNG. Reads nothing but the
 * fonts that it carries; the same input gives the same bytes.
 * @throws BbdError `internal` when the report doesn't fit its schema
 */
export async function renderReport(input: ReportInput): Promise<RenderedReport> {
  const { real, mixup, cvae } = input.samples;
  const kinds = [
    ['Real images', real],
    [mixedTitle(input), mixup],
    ['CVAE images', cvae],
  ] as const;
  return filesOf(input, {
    samples: await drawn(async () => {
      const samples = await prepareSamples(kinds, input.classNames);
      return (palette) => samplesFigure(samples, palette);
    }),
    curves: await drawn(async () => (palette) => curvesFigure(input, palette)),
    confusion: await drawn(
      async () => (palette) => confusionFigure(input.confusion, input.classes, input.classNames, palette),
    ),
  });
}

async function drawn(prepare: () => Promise<(palette: Palette) => Figure>): Promise<DrawnFigure> {
  try {
    const draw = await prepare();
    const [png] = await rasterise([draw(PRINT_PALETTE)]);
    return { onPage: draw(PAGE_PALETTE), png: png! };
  } catch (error) {
    return { reason: asBbdError(error).message };
  }
}

/** Images with the teacher's likeliest classes beside them, as a PNG; at most {@link MAX_SAMPLES_PER_KIND} are shown. */
export async function renderSamples(
  title: string,
  samples: AnsweredImages,
  classNames: readonly string[],
): Promise<Uint8Array> {
  const groups = await prepareSamples([[title, samples]], classNames);
  const figure = samplesFigure(groups, PRINT_PALETTE, fittingColumns(groups));
  return (await rasterise([figure]))[0]!;
}
