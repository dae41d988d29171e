import { describe, expect, it } from 'vitest';
import { sha256Hex } from '../stores/blob-store.js';
import { parseCallers } from './callers-file.js';
import { scopeOfMethod } from './scopes.js';
import { packageDefinition } from './proto.js';

const A = sha256Hex('token a');
const B = sha256Hex('token b');

describe('the callers file', () => {
  it('callers file - finds callers by the digest of any of their tokens', () => {
    const callers = parseCallers(`callers:
  - { name: ci, tokenSha256: ${A}, scopes: [runs:read], callsPerMinute: 60 }
  - { name: team, tokenSha256: [${B}], scopes: [runs:write, data:write] }`);
    expect(callers.get(A)).toMatchObject({ name: 'ci', quotas: { callsPerMinute: 60 } });
    expect([...callers.get(B)!.scopes]).toEqual(['runs:write', 'data:write']);
    expect(callers.get(sha256Hex('other'))).toBeUndefined();
  });

  it.each([
    ['no callers', 'callers: []', 'callers'],
    ['something else', 'tokens: {}', 'callers'],
    ['nothing', '', 'file'],
    ['an unknown key', `callers: [{ name: a, tokenSha256: ${A}, scopes: [admin], token: x }]`, 'token'],
    ['a token in place of its digest', 'callers: [{ name: a, tokenSha256: hunter2, scopes: [admin] }]', 'sha-256'],
    ['an unknown scope', `callers: [{ name: a, tokenSha256: ${A}, scopes: [runs] }]`, 'scopes.0'],
    ['no scope', `callers: [{ name: a, tokenSha256: ${A}, scopes: [] }]`, 'scopes'],
    ['a path as a name', `callers: [{ name: ../a, tokenSha256: ${A}, scopes: [admin] }]`, 'name'],
    ['a quota of nothing', `callers: [{ name: a, tokenSha256: ${A}, scopes: [admin], callsPerMinute: 0 }]`, 'callsPer'],
    [
      'a name twice',
      `callers: [{ name: a, tokenSha256: ${A}, scopes: [admin] }, { name: a, tokenSha256: ${B}, scopes: [admin] }]`,
      'two callers have the name a',
    ],
    [
      'a token twice',
      `callers: [{ name: a, tokenSha256: ${A}, scopes: [admin] }, { name: b, tokenSha256: ${A}, scopes: [admin] }]`,
      'a and b have the same token',
    ],
  ])('callers file - refuses %s', (_name, yaml, complaint) => {
    expect(() => parseCallers(yaml)).toThrow(complaint);
  });

  it('callers file - what is wrong is told without the value, which may be a secret', () => {
    const read = () => parseCallers('callers: [{ name: a, tokenSha256: hunter2, scopes: [admin] }]');
    expect(read).not.toThrow('hunter2');
  });
});

describe('scopes', () => {
  it('scopes - every method of the public API has one of its own, the services inside have theirs', () => {
    const paths = Object.values(packageDefinition())
      .flatMap((service) => Object.values(service as Record<string, { path?: string }>))
      .flatMap(({ path }) => (path?.startsWith('/bbdistill.') ? [path] : []));
    expect(paths.length).toBeGreaterThan(30);
    for (const path of paths) {
      const expected = path.includes('DistillationService') ? /^(runs:read|runs:write|data:write)$/ : /^services$/;
      expect(`${path} ${scopeOfMethod(path)}`).toMatch(new RegExp(`${expected.source.slice(1)}`));
    }
  });

  it('scopes - a method that nobody thought of is for admin alone', () => {
    expect(scopeOfMethod('/bbdistill.v1.DistillationService/Wipe')).toBe('admin');
    expect(scopeOfMethod('/bbdistill.v2.Other/Do')).toBe('admin');
    expect(scopeOfMethod('/grpc.reflection.v1.ServerReflection/ServerReflectionInfo')).toBeUndefined();
  });
});
