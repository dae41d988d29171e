import { readFileSync } from 'node:fs';
import { distance } from 'fastest-levenshtein';
import { ConfigError } from './errors.js';
import { isJsonObject } from './json-object.js';
import { holdSecret } from './secrets.js';

/**
 * Reads a value from what an environment variable, a flag or a file holds.
 * @throws Error whose message goes on with "… must be" or the like, e.g. `must be a whole number, not "x"`
 */
export type Parser<T> = (raw: unknown) => T;

/** One line of a config table. */
export interface Setting<T> {
  /** Name of the environment variable. */
  env: string;
  parse: Parser<T>;
  /** Taken where nothing is set. Absent: the setting is required. */
  default?: T;
  /** `ms`, `bytes`, `images/s`; absent where there is none. */
  unit?: string;
  /** What it does, in a line. */
  meaning: string;
  /** Never shown. Taken from the variable, or from the file that `<env>_FILE` names. */
  secret?: boolean;
}

// A table holds settings of any type; `unknown` would refuse them all, since parsers take and give.
export type ConfigTable = Record<string, Setting<never> | Setting<unknown>>;

export type ConfigValues<Table extends ConfigTable> = {
  readonly [Key in keyof Table]: Table[Key]['parse'] extends Parser<infer T> ? T : never;
};

/** Something that several settings have to agree on. */
export interface ConfigRule<Table extends ConfigTable> {
  /** For people who look for it, e.g. `budget-covers-images`. */
  name: string;
  /** @returns what is wrong, naming the settings, or `undefined` */
  check(values: ConfigValues<Table>): string | undefined;
}

/** Where values come from; the first that has one wins, in this order. */
export interface ConfigSources {
  /** `--key value` of the command line, by key. */
  flags?: Readonly<Record<string, unknown>>;
  env?: Readonly<Record<string, string | undefined>>;
  /** A parsed file; nested objects are keys joined with dots. */
  values?: Readonly<Record<string, unknown>>;
  readFile?: (path: string) => string;
}

export interface Config<Table extends ConfigTable> {
  readonly table: Table;
  /** @throws ConfigError that lists every fault at once */
  load(sources: ConfigSources): ConfigValues<Table>;
}

/** How unlike a known key may be and still be taken for what was meant, as a part of its length. */
const MAX_TYPO_SHARE = 0.4;

/** A table of settings, each readable from environment, flags and file. */
export function defineConfig<const Table extends ConfigTable>(
  table: Table,
  rules: readonly ConfigRule<NoInfer<Table>>[] = [],
): Config<Table> {
  return {
    table,
    load(sources) {
      const faults: string[] = [];
      const flat = flatten(sources.values ?? {}, Object.keys(table));
      for (const [given, source] of [
        [sources.flags ?? {}, 'flag --'],
        [flat, 'setting '],
      ] as const) {
        for (const key of Object.keys(given))
          if (!Object.hasOwn(table, key)) faults.push(unknownKey(key, Object.keys(table), source));
      }
      const values: Record<string, unknown> = {};
      for (const [key, setting] of Object.entries(table)) {
        try {
          values[key] = read(key, setting, sources, flat);
        } catch (error) {
          faults.push(error instanceof Error ? error.message : String(error));
        }
      }
      // Rules read the values: with one missing they would complain of nothing real.
      if (faults.length === 0) {
        for (const rule of rules) {
          const fault = rule.check(values as ConfigValues<Table>);
          if (fault !== undefined) faults.push(`${fault} (${rule.name})`);
        }
      }
      if (faults.length > 0) throw configFaults(faults);
      return values as ConfigValues<Table>;
    },
  };
}

/** The table in Markdown, for README and `check-config`. */
export function describeConfig(table: ConfigTable): string {
  const shown = (value: unknown) =>
    value === undefined ? '' : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``;
  const rows = Object.entries(table).map(([key, { env, unit, meaning, secret, ...setting }]) => {
    const fallback = 'default' in setting ? (secret ? '' : shown(setting.default)) : 'required';
    return [`\`${key}\``, `\`${env}\``, fallback, unit ?? '', meaning];
  });
  return [['setting', 'environment', 'default', 'unit', 'meaning'], ['---', '---', '---', '---', '---'], ...rows]
    .map((cells) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`)
    .join('\n');
}

/** All faults in one error, so that nobody has to mend and start again and again. */
export function configFaults(faults: readonly string[]): ConfigError {
  if (faults.length === 1) return new ConfigError(faults[0]!);
  return new ConfigError(`${faults.length} settings are wrong:\n${faults.map((fault) => `- ${fault}`).join('\n')}`);
}

/** The known word that was most likely meant, if any is near. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const [best] = known
    .map((candidate) => ({ candidate, apart: distance(word.toLowerCase(), candidate.toLowerCase()) }))
    .filter(({ candidate, apart }) => apart <= Math.max(candidate.length, word.length) * MAX_TYPO_SHARE)
    .sort((a, b) => a.apart - b.apart);
  return best?.candidate;
}

/** A complaint about a key that is not in the list, with the nearest one that is. */
export function unknownKey(key: string, known: readonly string[], source = 'setting '): string {
  const meant = nearest(key, known);
  return `there is no ${source}${key}${meant === undefined ? '' : `: did you mean ${meant}?`}`;
}

function read(
  key: string,
  setting: Setting<never> | Setting<unknown>,
  sources: ConfigSources,
  flat: Readonly<Record<string, unknown>>,
): unknown {
  const found = given(key, setting, sources, flat);
  if (!found) {
    if ('default' in setting) return setting.default;
    throw new Error(`${key} is not set: set it in the file, with --${key} or in ${setting.env}`);
  }
  if (setting.secret && typeof found.raw === 'string') holdSecret(found.raw);
  const parsed = attempt(setting.parse, found.raw);
  if (!('fault' in parsed)) return parsed.value;
  // A parser names the value that was wrong, which must not happen to a secret, not even in a cause.
  throw new Error(`${key} (${found.source}) ${setting.secret ? 'is not a usable secret' : parsed.fault}`);
}

function attempt(parse: Parser<unknown>, raw: unknown): { value: unknown } | { fault: string } {
  try {
    return { value: parse(raw) };
  } catch (error) {
    return { fault: error instanceof Error ? error.message : String(error) };
  }
}

function given(
  key: string,
  setting: Setting<never> | Setting<unknown>,
  { flags = {}, env = {}, readFile = (path) => readFileSync(path, 'utf8') }: ConfigSources,
  flat: Readonly<Record<string, unknown>>,
): { raw: unknown; source: string } | undefined {
  if (setting.secret && (flags[key] !== undefined || flat[key] !== undefined)) {
    throw new Error(`${key} is a secret: set it in ${setting.env}, or name a file in ${setting.env}_FILE`);
  }
  if (flags[key] !== undefined) return { raw: flags[key], source: `--${key}` };
  const variable = env[setting.env];
  if (variable !== undefined && variable !== '') return { raw: variable, source: setting.env };
  const file = setting.secret ? env[`${setting.env}_FILE`] : undefined;
  if (file !== undefined && file !== '') {
    try {
      return { raw: readFile(file).trim(), source: `${setting.env}_FILE` };
    } catch (cause) {
      throw new Error(`${key}: the file ${file}, named by ${setting.env}_FILE, can't be read`, { cause });
    }
  }
  return flat[key] === undefined ? undefined : { raw: flat[key], source: 'file' };
}

/** `{a: {b: 1}}` as `{'a.b': 1}`; what is a key of the table is kept whole. */
function flatten(
  values: Readonly<Record<string, unknown>>,
  keys: readonly string[],
  prefix = '',
): Record<string, unknown> {
  const flat: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(values)) {
    const key = prefix + name;
    if (isJsonObject(value) && !keys.includes(key)) Object.assign(flat, flatten(value, keys, `${key}.`));
    else flat[key] = value;
  }
  return flat;
}
