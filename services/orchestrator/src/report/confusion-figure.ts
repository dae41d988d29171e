import { at, fitText, line, rect, svg, text, textWidth } from './drawing.js';
import type { Figure, Palette } from './drawing.js';
import { classNameOf } from './input.js';
import type { ConfusionInput } from './input.js';

const WIDTH = 1018;
const MARGIN = 20;
const GRID = 720;
const MIN_CELL = 7;
const MAX_CELL = 60;
const MAX_NAME_WIDTH = 130;
/** Left of the names: the title of the rows, and the gap to the grid. */
const SIDE_TITLE = 42;
/** Below this, names would touch: only every n-th is written. */
const MIN_NAME_PITCH = 12;
const MIN_NUMBER_CELL = 24;
const LEGEND_WIDTH = 580;

/** Shade of a cell: the share of its row, lifted so that rare confusions are still seen. */
function shade(share: number): number {
  return share <= 0 ? 0 : 0.1 + 0.9 * share ** 0.7;
}

/** Rows are the reference classes, columns the student's. Stays readable from 2 to 100 classes. */
export function confusionFigure(
  confusion: ConfusionInput | undefined,
  classes: number,
  classNames: readonly string[],
  palette: Palette,
): Figure {
  if (!confusion) {
    const said = 'There were no test images with labels or answers to hold the student against.';
    return svg(WIDTH, 70, 'No confusion matrix', palette, [text(MARGIN, 42, said, { size: 13, fill: palette.muted })]);
  }
  const cell = Math.max(MIN_CELL, Math.min(MAX_CELL, Math.floor(GRID / classes)));
  const font = Math.min(12, Math.max(9, Math.floor(cell * 0.6)));
  const every = Math.ceil(MIN_NAME_PITCH / cell);
  const names = Array.from({ length: classes }, (_, i) => fitText(classNameOf(classNames, i), font, MAX_NAME_WIDTH));
  const nameWidth = Math.max(24, ...names.map((name) => textWidth(name, font)));
  const size = cell * classes;
  // Names stand at 45 degrees above the columns; the last one reaches beyond the grid.
  const slanted = nameWidth * Math.SQRT1_2 + font;
  const width = Math.max(WIDTH, 2 * MARGIN + SIDE_TITLE + nameWidth + size + slanted);
  const left = (width - (SIDE_TITLE + nameWidth + size + slanted)) / 2 + SIDE_TITLE + nameWidth;
  const top = MARGIN + 30 + slanted;
  const reference = confusion.rows === 'true' ? 'true class' : 'teacher’s class';
  const body = [
    text(MARGIN, MARGIN + 14, 'Confusion matrix', { size: 15, fill: palette.ink, bold: true }),
    text(
      MARGIN + textWidth('Confusion matrix', 15) * 1.1 + 14,
      MARGIN + 14,
      `row: ${reference}, column: student’s class`,
      {
        size: 12,
        fill: palette.muted,
      },
    ),
    text(left - nameWidth - SIDE_TITLE + 14, top + size / 2, reference, {
      size: 12,
      fill: palette.muted,
      anchor: 'middle',
      rotate: -90,
    }),
  ];
  for (let i = 0; i < classes; i += every) {
    const centre = (i + 0.5) * cell;
    body.push(text(left - 8, top + centre + font * 0.36, names[i]!, { size: font, fill: palette.ink, anchor: 'end' }));
    body.push(text(left + centre + font * 0.3, top - 8, names[i]!, { size: font, fill: palette.ink, rotate: -45 }));
  }
  for (let row = 0; row < classes; row++) {
    const counts = confusion.matrix.slice(row * classes, (row + 1) * classes);
    const total = counts.reduce((sum, value) => sum + value, 0);
    for (let column = 0; column < classes; column++) {
      const value = counts[column] ?? 0;
      if (value <= 0) continue;
      const x = left + column * cell;
      const y = top + row * cell;
      const opacity = shade(value / total);
      const colour = row === column ? palette.first : palette.second;
      body.push(rect(x, y, cell, cell, colour, ` fill-opacity="${at(opacity)}"`));
      const number = String(value);
      const numberFont = Math.min(12, cell * 0.34);
      if (cell < MIN_NUMBER_CELL || textWidth(number, numberFont) > cell - 2) continue;
      const fill = opacity > 0.55 ? palette.onFirst : palette.ink;
      body.push(
        text(x + cell / 2, y + cell / 2 + numberFont * 0.36, number, {
          size: Math.round(numberFont * 10) / 10,
          fill,
          anchor: 'middle',
        }),
      );
    }
  }
  // Of many classes only every n-th line is drawn, or the grid would hide the matrix.
  const lines = cell < 16 ? 10 : 1;
  for (let i = 0; i <= classes; i++) {
    if (i % lines !== 0 && i !== classes) continue;
    body.push(line(left + i * cell, top, left + i * cell, top + size, palette.line));
    body.push(line(left, top + i * cell, left + size, top + i * cell, palette.line));
  }
  body.push(...legend(Math.min(left, width - LEGEND_WIDTH), top + size + 24, palette));
  return svg(width, top + size + 52, `Confusion matrix of ${classes} classes`, palette, body);
}

function legend(left: number, y: number, palette: Palette): string[] {
  const body: string[] = [];
  let x = left;
  for (const [label, colour] of [
    ['right', palette.first],
    ['wrong', palette.second],
  ] as const) {
    body.push(text(x, y + 11, label, { size: 11, fill: palette.muted }));
    x += textWidth(label, 11) + 8;
    for (const share of [0.02, 0.1, 0.25, 0.5, 1]) {
      body.push(rect(x, y, 22, 14, colour, ` fill-opacity="${at(shade(share))}"`));
      x += 22;
    }
    x += 20;
  }
  body.push(text(x, y + 11, 'shade: 2, 10, 25, 50, 100 % of the row', { size: 11, fill: palette.muted }));
  return body;
}

export interface Confused {
  reference: number;
  student: number;
  images: number;
  /** Of the reference class's images. */
  share: number;
}

/** The pairs most often confused, most first. */
export function mostConfused(confusion: ConfusionInput, classes: number, limit: number): Confused[] {
  const pairs: Confused[] = [];
  for (let row = 0; row < classes; row++) {
    const counts = confusion.matrix.slice(row * classes, (row + 1) * classes);
    const total = counts.reduce((sum, value) => sum + value, 0);
    counts.forEach((images, column) => {
      if (row !== column && images > 0) pairs.push({ reference: row, student: column, images, share: images / total });
    });
  }
  return pairs
    .sort((a, b) => b.images - a.images || a.reference - b.reference || a.student - b.student)
    .slice(0, limit);
}
