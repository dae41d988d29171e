import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { TestAuthority } from '../../../../test/helpers/certificates.js';
import { serve } from '../../../../test/helpers/grpc.js';
import { temporaryFolder } from '../../../../test/helpers/temporary-folder.js';
import { waitFor } from '../../../../test/helpers/wait-for.js';
import { ConfigError } from '../errors.js';
import { silentLogger } from '../logger.js';
import { bearerToken } from './auth.js';
import { connect } from './client.js';
import type { ConnectOptions } from './client.js';

const TEACHER = 'bbdistill.v1.TeacherService';
const whoCalls = { GetJob: async (_: unknown, { caller }: { caller: { name: string } }) => ({ id: caller.name }) };

async function callerSeenBy(address: string, options: ConnectOptions): Promise<string> {
  const client = connect(TEACHER, address, options);
  try {
    return (await client.unary('GetJob', { id: '1' }, { timeoutMs: 5_000 })).id;
  } finally {
    client.close();
  }
}

describe('TLS', () => {
  it('TLS - a client that trusts the authority gets through; plain text and another authority do not', async () => {
    await using folder = await temporaryFolder();
    const authority = new TestAuthority(folder.path);
    const stranger = new TestAuthority(folder.path, 'stranger');
    await using served = await serve(TEACHER, whoCalls, { tls: authority.issue('teacher-proxy') });
    const { address } = served.server;
    expect(await callerSeenBy(address, { tls: { caFile: authority.caFile } })).toBe('anonymous');
    await expect(callerSeenBy(address, { tls: { caFile: stranger.caFile } })).rejects.toMatchObject({
      kind: 'unavailable',
    });
    await expect(callerSeenBy(address, {})).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it('TLS - a certificate for another host is refused, unless that name is the one expected', async () => {
    await using folder = await temporaryFolder();
    const authority = new TestAuthority(folder.path);
    const tls = authority.issue('teacher-proxy', 'named', 'teacher-proxy.example');
    await using served = await serve(TEACHER, whoCalls, { tls });
    const { caFile } = authority;
    await expect(callerSeenBy(served.server.address, { tls: { caFile } })).rejects.toMatchObject({
      kind: 'unavailable',
    });
    const named = { caFile, serverName: 'teacher-proxy.example' };
    expect(await callerSeenBy(served.server.address, { tls: named })).toBe('anonymous');
  });

  it('TLS - mutual: only a certificate of the callers’ authority opens, and names the caller', async () => {
    await using folder = await temporaryFolder();
    const authority = new TestAuthority(folder.path);
    const stranger = new TestAuthority(folder.path, 'stranger');
    const tls = { ...authority.issue('teacher-proxy'), clientCaFile: authority.caFile };
    await using served = await serve(TEACHER, whoCalls, { tls });
    const { caFile } = authority;
    const call = (files: { certFile?: string; keyFile?: string }) =>
      callerSeenBy(served.server.address, { tls: { caFile, ...files } });
    expect(await call(authority.issue('orchestrator'))).toBe('cert:orchestrator');
    await expect(call({})).rejects.toMatchObject({ kind: 'unavailable' });
    await expect(call(stranger.issue('orchestrator', 'forged'))).rejects.toMatchObject({ kind: 'unavailable' });
  });

  it('TLS - where a token is set besides, a certificate alone is not enough', async () => {
    await using folder = await temporaryFolder();
    const authority = new TestAuthority(folder.path);
    const tls = { ...authority.issue('teacher-proxy'), clientCaFile: authority.caFile };
    await using served = await serve(TEACHER, whoCalls, { tls, auth: bearerToken('secret token') });
    const client = { caFile: authority.caFile, ...authority.issue('orchestrator') };
    const { address } = served.server;
    await expect(callerSeenBy(address, { tls: client })).rejects.toMatchObject({ kind: 'unauthenticated' });
    expect(await callerSeenBy(address, { tls: client, token: 'secret token' })).toBe('operator');
  });

  it('TLS - a renewed certificate counts without a restart; an unusable one changes nothing', async () => {
    await using folder = await temporaryFolder();
    const old = new TestAuthority(folder.path, 'old');
    const renewed = new TestAuthority(folder.path, 'renewed');
    const certFile = join(folder.path, 'tls.crt');
    const keyFile = join(folder.path, 'tls.key');
    const install = async (files: { certFile: string; keyFile: string }) => {
      await copyFile(files.keyFile, keyFile);
      await copyFile(files.certFile, certFile);
    };
    await install(old.issue('teacher-proxy', 'first'));
    const complaints: object[] = [];
    const logger = { ...silentLogger, error: (fields: object) => void complaints.push(fields) };
    await using served = await serve(TEACHER, whoCalls, { tls: { certFile, keyFile }, reloadIntervalMs: 10, logger });
    const trusts = (authority: TestAuthority) =>
      callerSeenBy(served.server.address, { tls: { caFile: authority.caFile } }).then(
        () => true,
        () => false,
      );
    expect([await trusts(old), await trusts(renewed)]).toEqual([true, false]);
    await writeFile(certFile, 'no certificate');
    await waitFor('the complaint', () => complaints.length > 0);
    expect(await trusts(old)).toBe(true);
    await install(renewed.issue('teacher-proxy', 'second'));
    await waitFor('the server to show the renewed certificate', () => trusts(renewed));
    expect(await trusts(old)).toBe(false);
  });

  it('TLS - a client takes a renewed authority without being made anew', async () => {
    await using folder = await temporaryFolder();
    const authority = new TestAuthority(folder.path);
    const stranger = new TestAuthority(folder.path, 'stranger');
    const caFile = join(folder.path, 'ca.crt');
    await copyFile(stranger.caFile, caFile);
    await using served = await serve(TEACHER, whoCalls, { tls: authority.issue('teacher-proxy') });
    const client = connect(TEACHER, served.server.address, { tls: { caFile }, reloadIntervalMs: 10 });
    const call = () => client.unary('GetJob', { id: '1' }, { timeoutMs: 5_000 }).catch(() => undefined);
    try {
      expect(await call()).toBeUndefined();
      await copyFile(authority.caFile, caFile);
      await waitFor('the client to trust the authority', call);
    } finally {
      client.close();
    }
  });

  it.each([
    ['a certificate that is not there', { certFile: '/no/such/file', keyFile: '/no/such/file' }],
    ['a key of another certificate', 'mixed'],
  ])('TLS - %s stops the start and names the file', async (_name, files) => {
    await using folder = await temporaryFolder();
    const authority = new TestAuthority(folder.path);
    const tls =
      files === 'mixed'
        ? { certFile: authority.issue('a').certFile, keyFile: authority.issue('b').keyFile }
        : (files as { certFile: string; keyFile: string });
    const start = serve(TEACHER, whoCalls, { tls });
    await expect(start).rejects.toThrow(ConfigError);
    await expect(start).rejects.toThrow(tls.certFile);
  });
});
