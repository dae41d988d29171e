import { at, fitText, line, percent, rect, remark, svg, text, textWidth } from './drawing.js';
import type { Figure, Palette } from './drawing.js';
import { classNameOf } from './input.js';
import type { ConfusionInput } from './input.js';

const WIDTH = 1018;
const MARGIN = 20;
const GRID = 720;
/** Of more classes than fill the grid with cells that are still easy to see. */
const LARGE_GRID = 1100;
const MIN_CELL = 7;
/** Of so many classes that they don't fill the large grid either: it grows, and its text with it. */
const TINY_CELL = 2;
const MAX_CELL = 60;
const MAX_NAME_WIDTH = 130;
/** Left of the names: the title of the rows, and the gap to the grid. */
const SIDE_TITLE = 42;
/** Below this, names would touch: only every n-th is written. */
const MIN_NAME_PITCH = 12;
const MIN_NUMBER_CELL = 24;
const LEGEND_WIDTH = 580;
/** Where cells are smaller, what is in them is drawn larger than they are: a confusion of two among a thousand classes. */
const MIN_MARK = 3;
/** How much larger a mark would be where all of a row is in one wrong cell. */
const MARK_GROWTH = 8;
/** Beyond it only the most frequent ones are drawn: nobody could tell the others apart, but all would be in the page. */
const MAX_CONFUSIONS = 100_000;

/** Shade of a cell: the share of its row, lifted so that rare confusions are still seen. */
function shade(share: number): number {
  return share <= 0 ? 0 : 0.1 + 0.9 * share ** 0.7;
}

interface Cell {
  row: number;
  column: number;
  images: number;
  /** Of the row. */
  share: number;
}

/** Rows are the reference classes, columns the student's. Stays readable from 2 to 1000 classes. */
export function confusionFigure(
  confusion: ConfusionInput | undefined,
  classes: number,
  classNames: readonly string[],
  palette: Palette,
): Figure {
  if (!confusion) {
    const said = 'There were no test images with labels or answers to hold the student against.';
    return remark(said, 'No confusion matrix', palette);
  }
  const cell =
    GRID / classes >= MIN_CELL
      ? Math.min(MAX_CELL, Math.floor(GRID / classes))
      : Math.max(TINY_CELL, Math.min(MIN_CELL, Math.floor(LARGE_GRID / classes)));
  const size = cell * classes;
  const zoom = Math.max(1, size / LARGE_GRID);
  const zoomed = (units: number) => Math.round(units * zoom * 10) / 10;
  const font = zoomed(Math.min(12, Math.max(9, Math.floor(cell * 0.6))));
  const every = roundStep(zoomed(MIN_NAME_PITCH) / cell);
  const names = Array.from({ length: classes }, (_, i) =>
    i % every === 0 ? fitText(classNameOf(classNames, i), font, zoomed(MAX_NAME_WIDTH)) : '',
  );
  const nameWidth = Math.max(zoomed(24), ...names.map((name) => textWidth(name, font)));
  const [margin, sideTitle] = [zoomed(MARGIN), zoomed(SIDE_TITLE)];
  // Names stand at 45 degrees above the columns; the last one reaches beyond the grid.
  const slanted = nameWidth * Math.SQRT1_2 + font;
  const width = Math.max(WIDTH, 2 * margin + sideTitle + nameWidth + size + slanted);
  const left = (width - (sideTitle + nameWidth + size + slanted)) / 2 + sideTitle + nameWidth;
  const top = margin + zoomed(30) + slanted;
  const reference = confusion.rows === 'true' ? 'true class' : 'teacher’s class';
  const { cells, above } = cellsOf(confusion, classes);
  const said = [
    `row: ${reference}, column: student’s class`,
    ...(cell < MIN_MARK ? ['frequent confusions are drawn larger'] : []),
    ...(above > 0 ? [`only those of more than ${percent(above)} of a row are drawn`] : []),
  ];
  const title = { size: zoomed(15), fill: palette.ink, bold: true };
  const muted = { size: zoomed(12), fill: palette.muted };
  const body = [
    text(margin, margin + zoomed(14), 'Confusion matrix', title),
    text(
      margin + textWidth('Confusion matrix', title.size) * 1.1 + zoomed(14),
      margin + zoomed(14),
      said.join('; '),
      muted,
    ),
    text(left - nameWidth - sideTitle + zoomed(14), top + size / 2, reference, {
      ...muted,
      anchor: 'middle',
      rotate: -90,
    }),
  ];
  for (let i = 0; i < classes; i += every) {
    const centre = (i + 0.5) * cell;
    body.push(text(left - 8, top + centre + font * 0.36, names[i]!, { size: font, fill: palette.ink, anchor: 'end' }));
    body.push(text(left + centre + font * 0.3, top - 8, names[i]!, { size: font, fill: palette.ink, rotate: -45 }));
  }
  const origin = { left, top, cell };
  body.push(...(cell < MIN_NUMBER_CELL ? drawSmall(cells, origin, palette) : drawLarge(cells, origin, palette)));
  // Of many classes only every n-th line is drawn, or the grid would hide the matrix.
  const lines = cell < 16 ? Math.max(10, every) : 1;
  for (let i = 0; i <= classes; i++) {
    if (i % lines !== 0 && i !== classes) continue;
    body.push(line(left + i * cell, top, left + i * cell, top + size, palette.line));
    body.push(line(left, top + i * cell, left + size, top + i * cell, palette.line));
  }
  body.push(...legend(Math.min(left, width - zoomed(LEGEND_WIDTH)), top + size + zoomed(24), zoomed, palette));
  return svg(width, top + size + zoomed(52), `Confusion matrix of ${classes} classes`, palette, body);
}

/** 1, 2, 5, 10, 20, 50, ...: the first that isn't less. */
function roundStep(least: number): number {
  for (let power = 1; ; power *= 10) {
    const step = [1, 2, 5].find((digit) => digit * power >= least);
    if (step !== undefined) return step * power;
  }
}

/** @returns with the share of a row above which confusions are in; 0: all are */
function cellsOf({ matrix }: ConfusionInput, classes: number): { cells: Cell[]; above: number } {
  const cells: Cell[] = [];
  for (let row = 0; row < classes; row++) {
    let total = 0;
    for (let column = 0; column < classes; column++) total += matrix[row * classes + column] ?? 0;
    for (let column = 0; column < classes; column++) {
      const images = matrix[row * classes + column] ?? 0;
      if (images > 0) cells.push({ row, column, images, share: images / total });
    }
  }
  if (cells.length <= MAX_CONFUSIONS) return { cells, above: 0 };
  const shares = cells.filter(({ row, column }) => row !== column).map(({ share }) => share);
  const above =
    Float64Array.from(shares)
      .sort()
      .at(-MAX_CONFUSIONS - 1) ?? 0;
  return { cells: cells.filter(({ row, column, share }) => row === column || share > above), above };
}

interface Origin {
  left: number;
  top: number;
  cell: number;
}

/** Those of one shade as one path, as there are many; the dark ones last, so that nothing lies on them. */
function drawSmall(cells: readonly Cell[], { left, top, cell }: Origin, { first, second }: Palette): string[] {
  const paths = new Map<string, { opacity: number; marks: string[] }>();
  for (const { row, column, share } of cells) {
    const isRight = row === column;
    const side = cell >= MIN_MARK ? cell : isRight ? MIN_MARK : MIN_MARK + MARK_GROWTH * Math.sqrt(share);
    const opacity = shade(share);
    const style = `fill="${isRight ? first : second}" fill-opacity="${at(opacity)}"`;
    const path = paths.get(style) ?? { opacity, marks: [] };
    const start = (cell - side) / 2;
    const x = at(left + column * cell + start);
    path.marks.push(`M${x} ${at(top + row * cell + start)}h${at(side)}v${at(side)}h${at(-side)}z`);
    paths.set(style, path);
  }
  return [...paths]
    .sort(([, a], [, b]) => a.opacity - b.opacity)
    .map(([style, { marks }]) => `<path ${style} d="${marks.join('')}"/>`);
}

function drawLarge(cells: readonly Cell[], { left, top, cell }: Origin, palette: Palette): string[] {
  const body: string[] = [];
  for (const { row, column, images, share } of cells) {
    const x = left + column * cell;
    const y = top + row * cell;
    const opacity = shade(share);
    const colour = row === column ? palette.first : palette.second;
    body.push(rect(x, y, cell, cell, colour, ` fill-opacity="${at(opacity)}"`));
    const number = String(images);
    const numberFont = Math.min(12, cell * 0.34);
    if (textWidth(number, numberFont) > cell - 2) continue;
    body.push(
      text(x + cell / 2, y + cell / 2 + numberFont * 0.36, number, {
        size: Math.round(numberFont * 10) / 10,
        fill: opacity > 0.55 ? palette.onFirst : palette.ink,
        anchor: 'middle',
      }),
    );
  }
  return body;
}

function legend(left: number, y: number, zoomed: (units: number) => number, palette: Palette): string[] {
  const body: string[] = [];
  const [size, patch, height] = [zoomed(11), zoomed(22), zoomed(14)];
  const muted = { size, fill: palette.muted };
  let x = left;
  for (const [label, colour] of [
    ['right', palette.first],
    ['wrong', palette.second],
  ] as const) {
    body.push(text(x, y + size, label, muted));
    x += textWidth(label, size) + zoomed(8);
    for (const share of [0.02, 0.1, 0.25, 0.5, 1]) {
      body.push(rect(x, y, patch, height, colour, ` fill-opacity="${at(shade(share))}"`));
      x += patch;
    }
    x += zoomed(20);
  }
  body.push(text(x, y + size, 'shade: 2, 10, 25, 50, 100 % of the row', muted));
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
