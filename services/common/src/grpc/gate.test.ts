import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { handlersOf, serve } from '../../../../test/helpers/grpc.js';
import { healthOf } from '../../../../test/helpers/health.js';
import { temporaryFolder } from '../../../../test/helpers/temporary-folder.js';
import { waitFor } from '../../../../test/helpers/wait-for.js';
import { silentLogger } from '../logger.js';
import { sha256Hex } from '../stores/blob-store.js';
import { bearerToken } from './auth.js';
import { connect } from './client.js';
import { implementService } from './handlers.js';
import { startGrpcServer } from './server.js';

const API = 'bbdistill.v1.DistillationService';
const TEACHER = 'bbdistill.v1.TeacherService';

const handlers = handlersOf<typeof API>({
  GetRun: async (_, { caller }) => ({ id: caller.name }),
  CreateRun: async (_, { caller }) => ({ id: caller.name }),
  async *WatchRun(_, { signal }) {
    yield { message: 'first' };
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  },
  UploadImages: async (requests) => {
    for await (const request of requests) void request;
    return { id: 'stored' };
  },
});

async function guarded(callers: string) {
  const folder = await temporaryFolder();
  const callersFile = join(folder.path, 'callers.yaml');
  await writeFile(callersFile, callers);
  const server = await startGrpcServer({
    address: '127.0.0.1:0',
    services: [
      implementService(API, handlers),
      implementService(TEACHER, handlersOf<typeof TEACHER>({ ListTeachers: async () => ({ names: ['t'] }) })),
    ],
    logger: silentLogger,
    callersFile,
    auth: bearerToken('operators token'),
    healthAddress: '127.0.0.1:0',
  });
  const open: { close(): void }[] = [];
  return {
    server,
    callersFile,
    as: (token?: string) => {
      const client = connect(API, server.address, token === undefined ? {} : { token });
      open.push(client);
      return client;
    },
    teacherAs: (token: string) => {
      const client = connect(TEACHER, server.address, { token });
      open.push(client);
      return client;
    },
    async [Symbol.asyncDispose]() {
      for (const client of open) client.close();
      await server.drain(50);
      await folder[Symbol.asyncDispose]();
    },
  };
}

const CALLERS = `callers:
  - { name: reader, tokenSha256: ${sha256Hex('readers token')}, scopes: [runs:read] }
  - { name: writer, tokenSha256: ${sha256Hex('writers token')}, scopes: [runs:read, runs:write] }
  - { name: proxy, tokenSha256: ${sha256Hex('proxys token')}, scopes: [services] }
  - { name: busy, tokenSha256: ${sha256Hex('busys token')}, scopes: [runs:read], concurrentCalls: 1 }
  - { name: eager, tokenSha256: ${sha256Hex('eagers token')}, scopes: [runs:read], callsPerMinute: 3 }
`;

describe('the gate', () => {
  it('gate - a token opens what its scopes allow and nothing else', async () => {
    await using guard = await guarded(CALLERS);
    expect((await guard.as('readers token').unary('GetRun', {})).id).toBe('reader');
    await expect(guard.as('readers token').unary('CreateRun', {})).rejects.toMatchObject({
      kind: 'permission-denied',
      code: 'SCOPE_MISSING',
      message: expect.stringMatching(/reader may not call .*CreateRun.* needs runs:write/) as unknown,
    });
    expect((await guard.as('writers token').unary('CreateRun', {})).id).toBe('writer');
    expect((await guard.as('operators token').unary('CreateRun', {})).id).toBe('operator');
    expect((await guard.teacherAs('proxys token').unary('ListTeachers', {})).names).toEqual(['t']);
    for (const token of ['readers token', 'writers token']) {
      await expect(guard.teacherAs(token).unary('ListTeachers', {})).rejects.toMatchObject({
        kind: 'permission-denied',
      });
    }
  });

  it('gate - no token, a wrong one, and one in another scheme are unauthenticated, streams included', async () => {
    await using guard = await guarded(CALLERS);
    for (const token of [undefined, 'guess', '']) {
      await expect(guard.as(token).unary('GetRun', {})).rejects.toMatchObject({ kind: 'unauthenticated' });
      const stream = guard.as(token).serverStream('WatchRun', {})[Symbol.asyncIterator]();
      await expect(stream.next()).rejects.toMatchObject({ kind: 'unauthenticated' });
    }
    const basic = guard.as().unary('GetRun', {}, { metadata: { authorization: 'Basic readers token' } });
    await expect(basic).rejects.toMatchObject({ kind: 'unauthenticated' });
  });

  it('gate - an upload without the right to it is refused before its images are read', async () => {
    await using guard = await guarded(CALLERS);
    let sent = 0;
    async function* endless() {
      for (;;) {
        sent++;
        yield { pixels: Buffer.alloc(100_000) };
      }
    }
    const upload = guard.as('readers token').clientStream('UploadImages', endless());
    await expect(upload).rejects.toMatchObject({ kind: 'permission-denied' });
    expect(sent).toBeLessThan(1_000);
  });

  it('gate - calls open at once are counted, and an ended one makes room', async () => {
    await using guard = await guarded(CALLERS);
    const client = guard.as('busys token');
    const watching = client.serverStream('WatchRun', {})[Symbol.asyncIterator]();
    await watching.next();
    await expect(client.unary('GetRun', {})).rejects.toMatchObject({
      kind: 'resource-exhausted',
      code: 'QUOTA_EXCEEDED',
    });
    await watching.return?.();
    await waitFor('room', () => client.unary('GetRun', {}).catch(() => undefined));
  });

  it('gate - calls a minute are counted, and the refusal says when to come back', async () => {
    await using guard = await guarded(CALLERS);
    const client = guard.as('eagers token');
    for (let n = 0; n < 3; n++) await client.unary('GetRun', {});
    const refused = await client.unary('GetRun', {}).catch((error: unknown) => error);
    expect(refused).toMatchObject({ kind: 'resource-exhausted', code: 'QUOTA_EXCEEDED', retryable: true });
    expect((refused as { retryAfterMs: number }).retryAfterMs).toBeGreaterThan(1_000);
    expect((await guard.as('readers token').unary('GetRun', {})).id).toBe('reader');
  });

  it('gate - health probes need no token, and have a port of their own that answers nothing else', async () => {
    await using guard = await guarded(CALLERS);
    const { address, healthAddress } = guard.server;
    expect(await healthOf(address, API)).toBe('SERVING');
    expect(await healthOf(healthAddress!, API)).toBe('SERVING');
    const client = connect(API, healthAddress!, { token: 'operators token' });
    await expect(client.unary('GetRun', {})).rejects.toMatchObject({ kind: 'unimplemented' });
    client.close();
  });

  it('gate - a method that is not there is told apart from one that may not be called', async () => {
    await using guard = await guarded(CALLERS);
    const client = new grpc.Client(guard.server.address, grpc.credentials.createInsecure());
    const code = await new Promise((resolve) =>
      client.makeUnaryRequest(
        '/bbdistill.v1.DistillationService/../../etc/passwd',
        () => Buffer.alloc(0),
        () => undefined,
        {},
        (error) => resolve(error?.code),
      ),
    );
    expect(code).toBe(grpc.status.UNIMPLEMENTED);
    client.close();
  });

  it('gate - a caller that stops in the middle of a stream is let go after the idle time', async () => {
    await using served = await serve(API, handlers, { streamIdleTimeoutMs: 50 });
    async function* stalling() {
      yield { pixels: Buffer.alloc(10) };
      await new Promise(() => undefined);
    }
    await expect(served.client.clientStream('UploadImages', stalling())).rejects.toMatchObject({
      kind: 'deadline-exceeded',
      code: 'STREAM_IDLE',
    });
  });
});
