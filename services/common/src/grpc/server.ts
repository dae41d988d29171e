import * as grpc from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { systemClock } from '../clock.js';
import type { Clock } from '../clock.js';
import { ConfigError, UnavailableError } from '../errors.js';
import type { Logger } from '../logger.js';
import type { Stores } from '../stores/stores.js';
import { authInterceptor } from './auth.js';
import type { TokenVerifier } from './auth.js';
import { OpenCalls } from './handlers.js';
import type { ServiceImplementation } from './handlers.js';
import { ServerHealth } from './health.js';
import { packageDefinition } from './proto.js';

/** Largest message either way; pixels travel in pieces of at most 3 MiB. */
export const DEFAULT_MAX_MESSAGE_BYTES = 4 * 1024 * 1024;
export const SERVER_KEEPALIVE_TIME_MS = 60_000;
export const SERVER_KEEPALIVE_TIMEOUT_MS = 20_000;
/** How long handlers may take to notice that their calls were cut off. */
const HANDLER_GRACE_MS = 2_000;

export interface GrpcServerOptions {
  /** `host:port`; port 0 takes any free one. */
  address: string;
  services: readonly ServiceImplementation[];
  /** Who may call; absent: everybody. Health probes are always open. */
  auth?: TokenVerifier;
  /** Listen beyond loopback without `auth`, where the network itself is trusted. Default false. */
  allowInsecure?: boolean;
  logger: Logger;
  /** Default {@link DEFAULT_MAX_MESSAGE_BYTES}. */
  maxMessageBytes?: number;
  /** Default true. */
  reflection?: boolean;
  /** After which connections are renewed, so that clients find new replicas. Default: never. */
  maxConnectionAgeMs?: number;
  /** Whose link to the stores decides whether the server is ready. */
  stores?: Pick<Stores, 'health'>;
  clock?: Clock;
}

export interface RunningGrpcServer {
  /** `host:port` that the server really listens on. */
  readonly address: string;
  /**
   * Stops: health says NOT_SERVING, no new calls, calls under way may end; after the grace they are cut off as
   * unavailable. Resolves when all handlers have ended (or didn't notice their abort in time).
   */
  drain(graceMs: number): Promise<void>;
}

/**
 * Serves over gRPC, with health and reflection on the same port.
 * @throws ConfigError where the address can't be had, or is beyond loopback without authentication
 */
export async function startGrpcServer(options: GrpcServerOptions): Promise<RunningGrpcServer> {
  const { address, logger } = options;
  if (!/:\d+$/.test(address)) throw new ConfigError(`"${address}" is no address to listen on: write host:port`);
  if (!isLoopback(address) && !options.auth && !options.allowInsecure) {
    throw new ConfigError(
      `refusing to listen on ${address}, beyond this machine, without authentication: set auth (a bearer token), ` +
        'or allowInsecure where the network itself is trusted',
      { code: 'INSECURE_LISTEN' },
    );
  }
  const maxMessageBytes = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
  const server = new grpc.Server({
    'grpc.max_receive_message_length': maxMessageBytes,
    'grpc.max_send_message_length': maxMessageBytes,
    'grpc.keepalive_time_ms': SERVER_KEEPALIVE_TIME_MS,
    'grpc.keepalive_timeout_ms': SERVER_KEEPALIVE_TIMEOUT_MS,
    ...(options.maxConnectionAgeMs !== undefined && { 'grpc.max_connection_age_ms': options.maxConnectionAgeMs }),
    ...(options.auth && { interceptors: [authInterceptor(options.auth)] }),
  });
  const calls = new OpenCalls();
  for (const service of options.services) {
    server.addService(
      service.definition,
      service.bind(calls, (method, error) => {
        const fields = { method, code: error.code, err: error };
        if (error.kind === 'internal') logger.error(fields, 'a call failed unexpectedly');
        else logger.debug(fields, 'a call was refused');
      }),
    );
  }
  const names = options.services.map((service) => service.name);
  if (options.reflection ?? true) {
    new ReflectionService(packageDefinition(), { services: names }).addToServer(server);
  }

  const clock = options.clock ?? systemClock;
  const storeHealth = options.stores?.health && (() => options.stores!.health!());
  const health = new ServerHealth({ names, storeHealth, clock, logger });
  health.addTo(server);
  let port: number;
  try {
    port = await listen(server, address);
  } catch (error) {
    health.stop();
    throw error;
  }
  const bound = `${address.slice(0, address.lastIndexOf(':'))}:${port}`;
  logger.info({ address: bound, services: names }, 'listening');
  return {
    address: bound,
    async drain(graceMs) {
      health.stop();
      await shutDown(server, calls, graceMs, clock);
      logger.info({ address: bound }, 'stopped');
    },
  };
}

/** tryShutdown may never end, and waits for every stream that a client keeps open. */
async function shutDown(server: grpc.Server, calls: OpenCalls, graceMs: number, clock: Clock): Promise<void> {
  const graceful = new Promise<boolean>((resolve) => server.tryShutdown((error) => resolve(error === undefined)));
  if (!(await within(graceful, graceMs, clock))) {
    calls.cutOff();
    if (!(await within(graceful, HANDLER_GRACE_MS, clock))) server.forceShutdown();
  }
  await within(
    calls.settled().then(() => true),
    HANDLER_GRACE_MS,
    clock,
  );
}

/** Whether the work ended well in time. */
async function within(work: Promise<boolean>, limitMs: number, clock: Clock): Promise<boolean> {
  const stop = new AbortController();
  const timeout = clock.sleep(limitMs, stop.signal).then(
    () => false,
    () => false,
  );
  try {
    return await Promise.race([work, timeout]);
  } finally {
    stop.abort();
  }
}

async function listen(server: grpc.Server, address: string): Promise<number> {
  try {
    return await new Promise<number>((resolve, reject) => {
      server.bindAsync(address, grpc.ServerCredentials.createInsecure(), (error, port) =>
        error ? reject(error) : resolve(port),
      );
    });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UnavailableError(
      `cannot listen on ${address} (${reason}): is another process there? Choose another port`,
      { code: 'ADDRESS_IN_USE', retryable: false, cause },
    );
  }
}

/** Whether only this machine can reach the address. */
export function isLoopback(address: string): boolean {
  const host = address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}
