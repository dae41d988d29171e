import * as grpc from '@grpc/grpc-js';
import { describe, expect, it } from 'vitest';
import { handlersOf, serve } from '../../../../test/helpers/grpc.js';
import { healthOf } from '../../../../test/helpers/health.js';
import { waitFor } from '../../../../test/helpers/wait-for.js';
import { ConfigError } from '../errors.js';
import { silentLogger } from '../logger.js';
import { bearerToken } from './auth.js';
import { connect } from './client.js';
import { implementService } from './handlers.js';
import { isLoopback } from './listening.js';
import { startGrpcServer } from './server.js';

const TEACHER = 'bbdistill.v1.TeacherService';
const services = [implementService(TEACHER, handlersOf<typeof TEACHER>({ GetJob: async ({ id }) => ({ id }) }))];

describe('the server', () => {
  it('server - says which port it really has', async () => {
    await using served = await serve(TEACHER, {});
    expect(served.server.address).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
  });

  it.each(['0.0.0.0:0', '[::]:0', 'example.invalid:0'])(
    'server - refuses to listen on %s without authentication, naming both settings',
    async (address) => {
      const start = startGrpcServer({ address, services, logger: silentLogger });
      await expect(start).rejects.toThrow(ConfigError);
      await expect(start).rejects.toThrow(/auth.*allowInsecure/);
    },
  );

  it('server - listens beyond loopback when told allowInsecure, or with authentication', async () => {
    for (const permission of [{ allowInsecure: true }, { auth: bearerToken('t') }]) {
      const server = await startGrpcServer({ address: '0.0.0.0:0', services, logger: silentLogger, ...permission });
      await server.drain(0);
    }
  });

  it.each([
    ['127.0.0.1:80', true],
    ['127.9.9.9:80', true],
    ['localhost:80', true],
    ['[::1]:80', true],
    ['0.0.0.0:80', false],
    ['[::]:80', false],
    ['10.0.0.1:80', false],
    ['127.0.0.1.example.com:80', false],
    ['localhost.example.com:80', false],
    [':80', false],
  ])('server - %s is loopback: %s', (address, expected) => {
    expect(isLoopback(address)).toBe(expected);
  });

  it('server - a taken port and a bad address are told apart', async () => {
    await using served = await serve(TEACHER, {});
    await expect(
      startGrpcServer({ address: served.server.address, services, logger: silentLogger }),
    ).rejects.toMatchObject({
      code: 'ADDRESS_IN_USE',
      message: expect.stringContaining(served.server.address) as unknown,
    });
    await expect(startGrpcServer({ address: 'localhost', services, logger: silentLogger })).rejects.toThrow(
      /host:port/,
    );
  });

  it('server - a call needs the right token where one is set', async () => {
    await using served = await serve(TEACHER, { GetJob: async ({ id }) => ({ id }) }, { auth: bearerToken('secret') });
    const { address } = served.server;
    await expect(served.client.unary('GetJob', { id: '1' })).rejects.toMatchObject({ kind: 'unauthenticated' });
    for (const [token, passes] of [
      ['secret', true],
      ['secreT', false],
      ['secret2', false],
    ] as const) {
      const client = connect(TEACHER, address, { token });
      const call = client.unary('GetJob', { id: '1' });
      if (passes) expect((await call).id).toBe('1');
      else await expect(call).rejects.toMatchObject({ kind: 'unauthenticated' });
      client.close();
    }
    expect(await healthOf(address, '')).toBe('SERVING');
  });

  it('server - health knows the whole and each service', async () => {
    await using served = await serve(TEACHER, {});
    expect(await healthOf(served.server.address, '')).toBe('SERVING');
    expect(await healthOf(served.server.address, TEACHER)).toBe('SERVING');
    await expect(healthOf(served.server.address, 'other')).rejects.toMatchObject({ code: grpc.status.NOT_FOUND });
  });

  it('server - drain lets a call under way end', async () => {
    let goOn = (): void => undefined;
    let inside = false;
    await using served = await serve(TEACHER, {
      GetJob: async ({ id }) => {
        inside = true;
        await new Promise<void>((resolve) => (goOn = resolve));
        return { id };
      },
    });
    const call = served.client.unary('GetJob', { id: 'last' });
    await waitFor('the handler', () => inside);
    const drained = served.server.drain(10_000);
    goOn();
    expect((await call).id).toBe('last');
    await drained;
  });

  it('server - drain cuts off what outlasts the grace, and waits for its handler', async () => {
    let inside = false;
    let cleanedUp = false;
    await using served = await serve(TEACHER, {
      async *WatchJob(_, { signal }) {
        inside = true;
        yield { id: '1' };
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        cleanedUp = true;
      },
      GetJob: async (_, { signal }) => {
        await new Promise((resolve) => signal.addEventListener('abort', resolve));
        await new Promise((resolve) => setImmediate(resolve));
        cleanedUp = true;
        throw new Error('interrupted');
      },
    });
    const call = served.client.unary('GetJob', { id: '1' });
    call.catch(() => undefined);
    const watch = served.client.serverStream('WatchJob', { id: '1' })[Symbol.asyncIterator]();
    await watch.next();
    await waitFor('the handler', () => inside);
    await served.server.drain(20);
    expect(cleanedUp).toBe(true);
    for (const ended of [call, watch.next()]) {
      await expect(ended).rejects.toMatchObject({ kind: 'unavailable', message: 'the server stops: try again' });
    }
  });
});
