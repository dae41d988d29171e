import { describe, expect, it } from 'vitest';
import { address, decimal, flag, integer, listOf, oneOf, optional, text } from './config-parsers.js';
import { defineConfig, describeConfig, nearest } from './config.js';
import { ConfigError } from './errors.js';

const config = defineConfig(
  {
    listen: { env: 'T_LISTEN', parse: address, default: '127.0.0.1:0', meaning: 'where to listen' },
    'limits.concurrency': {
      env: 'T_CONCURRENCY',
      parse: integer({ min: 1, max: 64 }),
      default: 8,
      meaning: 'calls in flight',
    },
    'limits.rate': {
      env: 'T_RATE',
      parse: decimal({ min: 0 }),
      default: 1.5,
      unit: 'images/s',
      meaning: 'images | second',
    },
    engine: { env: 'T_ENGINE', parse: oneOf('auto', 'wasm'), default: 'auto', meaning: 'what trains' },
    name: { env: 'T_NAME', parse: text, meaning: 'the name' },
    token: { env: 'T_TOKEN', parse: optional(text), default: undefined, secret: true, meaning: 'bearer token' },
  },
  [
    {
      name: 'wasm-is-slow',
      check: (values) =>
        values.engine === 'wasm' && values['limits.concurrency'] > 32
          ? 'engine wasm and limits.concurrency above 32 contradict each other'
          : undefined,
    },
  ],
);

function faultOf(load: () => unknown): string {
  try {
    load();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('nothing was wrong');
}

describe('config', () => {
  it('config - defaults hold where nothing is set, and values have their types', () => {
    const values = config.load({ values: { name: 'n' } });
    const concurrency: number = values['limits.concurrency'];
    const engine: 'auto' | 'wasm' = values.engine;
    expect([concurrency, engine, values.listen, values.token]).toEqual([8, 'auto', '127.0.0.1:0', undefined]);
  });

  it('config - flags win over the environment, the environment over the file', () => {
    const values = { name: 'file', limits: { concurrency: 1, rate: 1 }, engine: 'wasm' };
    const env = { T_NAME: 'env', T_CONCURRENCY: '2', T_RATE: '' };
    const loaded = config.load({ values, env, flags: { name: 'flag' } });
    expect(loaded).toMatchObject({ name: 'flag', 'limits.concurrency': 2, 'limits.rate': 1, engine: 'wasm' });
  });

  it('config - all faults are told at once, with where the value came from', () => {
    const fault = faultOf(() =>
      config.load({
        values: { limits: { concurrency: 0 }, engin: 'wasm' },
        env: { T_RATE: 'fast' },
        flags: { listen: 'here', 'limits.concurency': 3 },
      }),
    );
    expect(fault.split('\n')).toEqual([
      '6 settings are wrong:',
      '- there is no flag --limits.concurency: did you mean limits.concurrency?',
      '- there is no setting engin: did you mean engine?',
      '- listen (--listen) must be host:port, not "here"',
      '- limits.concurrency (file) must be a whole number from 1 to 64, not 0',
      '- limits.rate (T_RATE) must be a number of at least 0, not "fast"',
      '- name is not set: set it in the file, with --name or in T_NAME',
    ]);
  });

  it('config - a contradiction is told by the rule that found it', () => {
    expect(faultOf(() => config.load({ values: { name: 'n', engine: 'wasm', limits: { concurrency: 40 } } }))).toBe(
      'engine wasm and limits.concurrency above 32 contradict each other (wasm-is-slow)',
    );
  });

  it('config - a secret comes from the environment or a file, and is never shown', () => {
    const load = (env: Record<string, string>) =>
      config.load({ values: { name: 'n' }, env, readFile: (path) => `from ${path}\n` }).token;
    expect(load({ T_TOKEN: 'hush' })).toBe('hush');
    expect(load({ T_TOKEN_FILE: '/secrets/token' })).toBe('from /secrets/token');
    for (const sources of [
      { values: { name: 'n', token: 'hush' } },
      { values: { name: 'n' }, flags: { token: 'hush' } },
    ]) {
      const fault = faultOf(() => config.load(sources));
      expect(fault).toContain('T_TOKEN_FILE');
      expect(fault).not.toContain('hush');
    }
    const picky = defineConfig({ key: { env: 'K', parse: integer(), secret: true, meaning: 'k' } });
    expect(faultOf(() => picky.load({ env: { K: 'hush' } }))).not.toContain('hush');
    expect(faultOf(() => config.load({ values: { name: 'n' }, env: { T_TOKEN_FILE: '/no/such/file' } }))).toContain(
      '/no/such/file',
    );
  });

  it('config - a key without a near one is just unknown', () => {
    expect(faultOf(() => config.load({ values: { name: 'n', zzzzzz: 1 } }))).toBe('there is no setting zzzzzz');
    expect(nearest('concurency', ['latency', 'concurrency'])).toBe('concurrency');
  });

  it('config - the table describes itself', () => {
    const lines = describeConfig(config.table).split('\n');
    expect(lines).toHaveLength(2 + 6);
    expect(lines).toContain('| `limits.rate` | `T_RATE` | `1.5` | images/s | images \\| second |');
    expect(lines).toContain('| `name` | `T_NAME` | required |  | the name |');
    expect(lines).toContain('| `token` | `T_TOKEN` |  |  | bearer token |');
  });

  it.each([
    ['text', text, 'a', 'a'],
    ['integer', integer(), '12', 12],
    ['integer', integer(), 12, 12],
    ['decimal', decimal(), '1e-3', 0.001],
    ['flag', flag, '0', false],
    ['flag', flag, true, true],
    ['address', address, '[::1]:50051', '[::1]:50051'],
    ['list', listOf(integer()), '1, 2', [1, 2]],
    ['list', listOf(text), ['a'], ['a']],
  ])('config - the parser %s takes its values', (_name, parse, raw, expected) => {
    expect(parse(raw)).toEqual(expected);
  });

  it.each([
    ['text', text, ''],
    ['text', text, 3],
    ['integer', integer(), '1.5'],
    ['integer', integer(), ''],
    ['integer', integer(), '9007199254740993'],
    ['integer', integer({ max: 3 }), 4],
    ['decimal', decimal(), 'NaN'],
    ['decimal', decimal(), Infinity],
    ['flag', flag, 'yes'],
    ['address', address, 'host'],
    ['address', address, 'host:65536'],
    ['address', address, '::1:80'],
    ['list', listOf(integer()), 'a,b'],
    ['list', listOf(text), { a: 1 }],
    ['one of', oneOf('a', 'b'), 'c'],
  ])('config - the parser %s refuses the rest', (_name, parse: (raw: unknown) => unknown, raw) => {
    expect(() => parse(raw)).toThrow(/^must be/);
  });
});
