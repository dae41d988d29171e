import { describe, expect, it } from 'vitest';
import { parseCallers, sha256Hex } from '@bbdistill/common';
import { main } from '../program.js';

async function run(...args: string[]): Promise<{ code: number; out: string; errors: string }> {
  let out = '';
  let errors = '';
  const output = {
    stdout: (text: string) => void (out += text),
    stderr: (text: string) => void (errors += text),
    interactive: false,
  };
  return { code: await main(['token', 'create', ...args], output), out, errors };
}

describe('token create', () => {
  it('prints an entry that the callers file takes, and its token apart from it', async () => {
    const { code, out, errors } = await run('nightly', '--scopes', 'runs:read,data:write', '--calls-per-minute', '60');
    expect(code).toBe(0);
    const token = /not shown again: (\S{43})$/.exec(errors.trim())![1]!;
    expect(out).not.toContain(token);
    const caller = parseCallers(out).get(sha256Hex(token))!;
    expect(caller.name).toBe('nightly');
    expect([...caller.scopes]).toEqual(['runs:read', 'data:write']);
    expect(caller.quotas).toEqual({ callsPerMinute: 60 });
  });

  it('makes another token each time', async () => {
    const [one, two] = [await run('a', '--scopes', 'admin', '--json'), await run('a', '--scopes', 'admin', '--json')];
    const token = (out: string) => (JSON.parse(out) as { token: string }).token;
    expect(token(one.out)).not.toBe(token(two.out));
  });

  it.each([
    [['a'], /--scopes/],
    [['a', '--scopes', 'everything'], /"everything" is no scope; there are runs:read/],
    [['a b', '--scopes', 'admin'], /1 to 64 letters/],
    [['a', '--scopes', 'admin', '--concurrent-calls', '0'], /1 or more/],
  ])('refuses %j', async (args, message) => {
    const { code, out, errors } = await run(...args);
    expect(code).toBe(2);
    expect(out).toBe('');
    expect(errors).toMatch(message);
  });
});
