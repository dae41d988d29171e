import { at, line, svg, text, textWidth } from './drawing.js';
import type { Figure, Palette } from './drawing.js';
import type { EpochPoint, ReportInput } from './input.js';

const WIDTH = 1018;
const PANEL_HEIGHT = 330;
const MARGIN = 20;
const PANEL_GAP = 36;
const AXIS_LEFT = 58;
const AXIS_BOTTOM = 46;
const HEAD = 62;

interface Series {
  name: string;
  colour: string;
  dashed?: boolean;
  points: readonly EpochPoint[];
}

interface Panel {
  title: string;
  unit: string;
  series: Series[];
}

/** About `wanted` round numbers that cover low..high. */
export function niceTicks(low: number, high: number, wanted: number): number[] {
  const span = high > low ? high - low : Math.max(Math.abs(high), 1);
  const raw = span / Math.max(1, wanted);
  const magnitude = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * magnitude).find((candidate) => candidate >= raw * 0.999)!;
  const first = Math.floor(low / step + 1e-9);
  const last = Math.ceil((high > low ? high : low + span) / step - 1e-9);
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

function finite(points: readonly EpochPoint[]): EpochPoint[] {
  return points.filter(({ epoch, loss }) => Number.isFinite(epoch) && Number.isFinite(loss));
}

function panelsOf(input: ReportInput, palette: Palette): Panel[] {
  const { student, baseline, cvae } = input.curves;
  const panels: Panel[] = [];
  const training: Series[] = [
    { name: 'FS-BBT (real + synthetic)', colour: palette.first, points: finite(student) },
    { name: 'standard KD (real only)', colour: palette.second, dashed: true, points: finite(baseline ?? []) },
  ].filter(({ points }) => points.length > 0);
  if (training.length > 0) panels.push({ title: 'Student', unit: 'training loss', series: training });
  const fit = finite(cvae ?? []);
  if (fit.length > 0) {
    const series = [{ name: 'reconstruction + KL', colour: palette.first, points: fit }];
    panels.push({ title: 'CVAE', unit: 'loss, nats per image', series });
  }
  return panels;
}

/** Training loss by epoch of the student and the baseline, and of the CVAE beside it. */
export function curvesFigure(input: ReportInput, palette: Palette): Figure {
  const panels = panelsOf(input, palette);
  const width = (WIDTH - 2 * MARGIN - (panels.length - 1) * PANEL_GAP) / Math.max(1, panels.length);
  const body = panels.flatMap((panel, i) => drawPanel(panel, MARGIN + i * (width + PANEL_GAP), MARGIN, width, palette));
  if (panels.length === 0) {
    body.push(text(MARGIN, 44, 'No losses were recorded.', { size: 13, fill: palette.muted }));
    return svg(WIDTH, 70, 'No learning curves', palette, body);
  }
  return svg(WIDTH, PANEL_HEIGHT + 2 * MARGIN, 'Learning curves: loss by epoch', palette, body);
}

function drawPanel(panel: Panel, left: number, top: number, width: number, palette: Palette): string[] {
  const points = panel.series.flatMap((series) => series.points);
  const losses = points.map(({ loss }) => loss);
  const epochs = points.map(({ epoch }) => epoch);
  const yTicks = niceTicks(Math.min(...losses), Math.max(...losses), 5);
  const lastEpoch = Math.max(...epochs, 1);
  const xTicks = niceTicks(0, lastEpoch, Math.max(2, Math.floor(width / 90))).filter(
    (tick) => Number.isInteger(tick) && tick <= lastEpoch,
  );
  const plot = {
    left: left + AXIS_LEFT,
    top: top + HEAD,
    right: left + width - 8,
    bottom: top + PANEL_HEIGHT - AXIS_BOTTOM,
  };
  const x = (epoch: number) => plot.left + (epoch / lastEpoch) * (plot.right - plot.left);
  const low = yTicks[0]!;
  const high = yTicks.at(-1)!;
  const y = (loss: number) => plot.bottom - ((loss - low) / (high - low)) * (plot.bottom - plot.top);

  const body = [text(left, top + 14, panel.title, { size: 15, fill: palette.ink, bold: true })];
  body.push(
    text(left + textWidth(panel.title, 15) * 1.1 + 14, top + 14, panel.unit, { size: 12, fill: palette.muted }),
  );
  let legend = left;
  for (const series of panel.series) {
    const dash = series.dashed ? ' stroke-dasharray="6 4"' : '';
    body.push(line(legend, top + 36, legend + 26, top + 36, series.colour, ` stroke-width="2.5"${dash}`));
    body.push(text(legend + 33, top + 40, series.name, { size: 12, fill: palette.ink }));
    legend += 33 + textWidth(series.name, 12) + 22;
  }
  for (const tick of yTicks) {
    body.push(line(plot.left, y(tick), plot.right, y(tick), palette.line));
    body.push(text(plot.left - 8, y(tick) + 4, String(tick), { size: 11, fill: palette.muted, anchor: 'end' }));
  }
  body.push(line(plot.left, plot.bottom, plot.right, plot.bottom, palette.muted));
  for (const tick of xTicks) {
    body.push(line(x(tick), plot.bottom, x(tick), plot.bottom + 4, palette.muted));
    body.push(text(x(tick), plot.bottom + 18, String(tick), { size: 11, fill: palette.muted, anchor: 'middle' }));
  }
  const middle = (plot.left + plot.right) / 2;
  body.push(text(middle, plot.bottom + 36, 'epoch', { size: 12, fill: palette.muted, anchor: 'middle' }));
  for (const series of panel.series) body.push(...drawSeries(series, x, y));
  return body;
}

function drawSeries(series: Series, x: (epoch: number) => number, y: (loss: number) => number): string[] {
  const dash = series.dashed ? ' stroke-dasharray="6 4"' : '';
  const path = series.points.map(({ epoch, loss }) => `${at(x(epoch))},${at(y(loss))}`).join(' ');
  const last = series.points.at(-1)!;
  const end = `<circle cx="${at(x(last.epoch))}" cy="${at(y(last.loss))}" r="3.5" fill="${series.colour}"/>`;
  const curve = `<polyline points="${path}" fill="none" stroke="${series.colour}" stroke-width="2" stroke-linejoin="round"${dash}/>`;
  return [curve, end];
}
