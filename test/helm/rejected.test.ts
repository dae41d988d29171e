import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { CHART, REJECTED, tryRender } from './chart.js';

/** A file of bad values; its first line holds what the refusal has to say. */
const files = readdirSync(REJECTED).map((name) => {
  const path = join(REJECTED, name);
  const says = /^# says: (.+)$/m.exec(readFileSync(path, 'utf8'))?.[1];
  if (says === undefined) throw new Error(`${name} does not begin with "# says: ..."`);
  return { name, path, says };
});

const answers = new Map<string, ReturnType<typeof tryRender>>();

function answerTo(path: string) {
  const answer = answers.get(path) ?? tryRender({ values: [path] });
  answers.set(path, answer);
  return answer;
}

describe('bad values are refused', () => {
  test.each(files)('$name', ({ path, says }) => {
    const { ok, stderr } = answerTo(path);
    expect(ok).toBe(false);
    expect(stderr).toContain(says);
  });
});

describe('every rule has its file of bad values', () => {
  const validation = readFileSync(join(CHART, 'templates/validation.yaml'), 'utf8');
  const faults = [...validation.matchAll(/append \$faults (?:\(printf )?"((?:[^"\\]|\\.)*)"/g)].map(
    ([, text]) => text!,
  );

  test('of validation.yaml', () => {
    expect(faults.length).toBeGreaterThan(20);
    const asPattern = (fault: string) =>
      new RegExp(fault.replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll(/%[sv]/g, '.+'));
    const said = files.map(({ path }) => answerTo(path).stderr).join('\n');
    expect(faults.filter((fault) => !asPattern(fault).test(said))).toEqual([]);
  });
});

interface Schema {
  $ref?: string;
  type?: string | string[];
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema;
  enum?: unknown[];
  pattern?: string;
}

describe('the schema', () => {
  const schema = JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as Schema & {
    definitions: Record<string, Schema>;
  };
  const values = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as Record<string, unknown>;
  const validate = new Ajv({ strict: false }).compile(schema);
  const resolved = (node: Schema): Schema =>
    node.$ref ? schema.definitions[node.$ref.replace('#/definitions/', '')]! : node;

  /** Where an object with fixed keys is, from the root. */
  function* closedObjects(node: Schema, path: string[] = []): Iterable<string[]> {
    const { properties, additionalProperties } = resolved(node);
    if (!properties) return;
    if (additionalProperties === false) yield path;
    for (const [key, child] of Object.entries(properties)) yield* closedObjects(child, [...path, key]);
  }

  function withValue(path: readonly string[], value: unknown): unknown {
    const copy = structuredClone(values);
    let at = copy;
    for (const key of path.slice(0, -1)) at = (at[key] ??= {}) as Record<string, unknown>;
    at[path.at(-1)!] = value;
    return copy;
  }

  test('takes the defaults', () => {
    expect(validate(values), JSON.stringify(validate.errors)).toBe(true);
  });

  test('refuses an unknown key at every level', () => {
    const paths = [...closedObjects(schema)];
    expect(paths.length).toBeGreaterThan(40);
    const open = paths.filter((path) => validate(withValue([...path, 'unheardOf'], 1)));
    expect(open).toEqual([]);
  });

  test('knows every default, and every key that it knows has one', () => {
    const missing: string[] = [];
    const visit = (node: Schema, value: unknown, path: string) => {
      const { properties } = resolved(node);
      if (!properties || typeof value !== 'object' || value === null) return;
      for (const [key, child] of Object.entries(properties)) {
        if (!(key in value)) missing.push(`${path}${key}`);
        else visit(child, (value as Record<string, unknown>)[key], `${path}${key}.`);
      }
    };
    visit(schema, values, '');
    const ofParents = ['global', 'enabled'];
    const overrides = /^(orchestrator|teacherProxy|synthesis|studentTrainer)\.image\./;
    expect(missing.filter((path) => !ofParents.includes(path) && !overrides.test(path))).toEqual([]);
  });

  test('refuses a value of another type everywhere', () => {
    const loose: string[] = [];
    const visit = (node: Schema, path: string[]) => {
      const { properties, type, enum: words } = resolved(node);
      const free = ['global', 'affinity'].includes(path.at(-1) ?? '');
      if (path.length > 0 && !free && (type ?? words) !== undefined && validate(withValue(path, [[null]]))) {
        loose.push(path.join('.'));
      }
      for (const [key, child] of Object.entries(properties ?? {})) visit(child, [...path, key]);
    };
    visit(schema, []);
    expect(loose).toEqual([]);
  });
});
