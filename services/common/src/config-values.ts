import type { ConfigTable } from './config.js';

const REDACTED = '[redacted]';
const NOT_SET = '(not set)';

/** Loaded values as they may be shown; a secret tells only whether it is set. */
export function shownValues(table: ConfigTable, values: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(table).map(([key, { secret }]) => {
      const value = values[key];
      return [key, value === undefined ? null : secret ? REDACTED : value];
    }),
  );
}

/** The settings with their values, a line each, in columns. */
export function describeValues(
  table: ConfigTable,
  values: Readonly<Record<string, unknown>>,
  heading: 'value' | 'default' = 'value',
): string {
  const shown = shownValues(table, values);
  const text = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value));
  const rows = Object.entries(table).map(([key, { env, unit = '', meaning }]) => [
    key,
    env,
    shown[key] === null ? NOT_SET : `${text(shown[key])} ${unit}`.trimEnd(),
    meaning,
  ]);
  const lines = [['setting', 'environment', heading, 'meaning'], ...rows];
  const widths = [0, 1, 2].map((column) => Math.max(...lines.map((cells) => cells[column]!.length)));
  return lines.map((cells) => cells.map((cell, n) => cell.padEnd(widths[n] ?? 0)).join('  ')).join('\n');
}

/** The settings with their defaults, for `--help`. */
export function describeDefaults(table: ConfigTable): string {
  const defaults: [string, unknown][] = Object.entries(table).map(([key, setting]) => [
    key,
    'default' in setting ? setting.default : undefined,
  ]);
  return describeValues(table, Object.fromEntries(defaults), 'default');
}
