import { percent } from './drawing.js';
import type { Report } from './report-schema.js';

export const COMPARISON_HEAD = ['', 'accuracy', 'macro-F1', 'agreement', 'queries', 'billed', 'cost'];
/** No narrow spaces here: terminals show them at different widths. */
const number = (value: number) => String(value).replace(/\B(?=(\d{3})+$)/g, ' ');

/** Amount with the currency, e.g. `39.75 USD`; `free` where the teacher has no price. */
export function money(cost: Report['cost']): string {
  if (!cost.currency) return cost.amount > 0 ? cost.amount.toFixed(2) : 'free';
  const decimals = cost.amount > 0 && cost.amount < 0.01 ? 4 : 2;
  return `${cost.amount.toFixed(decimals)} ${cost.currency}`;
}

/** Under COMPARISON_HEAD. Queries are distinct images asked, billed those that no cache knew; all without evaluation. */
export function comparisonRows(report: Report): string[][] {
  const rows = [['Teacher', percent(report.teacherAccuracy), '–', '–', '–', '–', '–']];
  const baseline = report.baselines.standardKd;
  if (baseline) {
    rows.push([
      'Standard KD, real images only',
      percent(baseline.accuracy),
      percent(baseline.macroF1),
      percent(baseline.agreementWithTeacher),
      number(baseline.queries ?? report.queries.byPhase.seeds.asked),
      number(report.queries.byPhase.seeds.billed),
      '–',
    ]);
  }
  rows.push([
    'FS-BBT',
    percent(report.accuracy),
    percent(report.macroF1),
    percent(report.agreementWithTeacher),
    number(report.queries.asked),
    number(report.queries.billed),
    money({ ...report.cost, amount: report.cost.training ?? report.cost.amount }),
  ]);
  return rows;
}

/** The comparison as plain text for a terminal. */
export function renderTable(report: Report): string {
  const rows = [COMPARISON_HEAD, ...comparisonRows(report)];
  const widths = COMPARISON_HEAD.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
      .join('  ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('  ');
  return [line(rows[0]!), rule, ...rows.slice(1).map(line)].join('\n') + '\n';
}
