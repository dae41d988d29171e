import * as grpc from '@grpc/grpc-js';
import { ReflectionService } from '@grpc/reflection';
import { systemClock } from '../clock.js';
import type { Clock } from '../clock.js';
import { ConfigError } from '../errors.js';
import type { Logger } from '../logger.js';
import type { Stores } from '../stores/stores.js';
import { anyOf } from './auth.js';
import type { Quotas, TokenVerifier } from './auth.js';
import { openCallersFile } from './callers-file.js';
import { gateInterceptor } from './gate.js';
import { OpenCalls } from './handlers.js';
import type { ServiceImplementation } from './handlers.js';
import { ServerHealth } from './health.js';
import { listenForProbes } from './health-listener.js';
import {
  DEFAULT_MAX_MESSAGE_BYTES,
  DEFAULT_MAX_STREAMS_PER_CONNECTION,
  DEFAULT_STREAM_IDLE_TIMEOUT_MS,
  SERVER_KEEPALIVE_TIMEOUT_MS,
  SERVER_KEEPALIVE_TIME_MS,
} from './limits.js';
import { bind, isLoopback } from './listening.js';
import { packageDefinition } from './proto.js';
import { QuotaKeeper } from './quota-keeper.js';
import { callMetrics } from './call-metrics.js';
import { serverTls } from './tls.js';
import type { ServerTlsFiles } from './tls.js';

/** How long handlers may take to notice that their calls were cut off. */
const HANDLER_GRACE_MS = 2_000;

/** Where a service listens, who may call it, and how much they may ask. */
export interface ListenOptions {
  /** `host:port`; port 0 takes any free one. */
  address: string;
  /** Whose tokens are taken, besides those of `callersFile`. Health probes are always open. */
  auth?: TokenVerifier;
  /** YAML file with callers, digests of their tokens, scopes and quotas; read anew when it changes. */
  callersFile?: string;
  /** Absent: plain text. */
  tls?: ServerTlsFiles;
  /** Listen beyond loopback without any of `auth`, `callersFile` and `tls.clientCaFile`. Default false. */
  allowInsecure?: boolean;
  /** `host:port` that answers health probes in plain text; absent: only `address` does. */
  healthAddress?: string;
  /** For callers without quotas of their own. Default: none. */
  quotas?: Quotas;
  /** Default {@link DEFAULT_MAX_MESSAGE_BYTES}. */
  maxMessageBytes?: number;
  /** Default {@link DEFAULT_MAX_STREAMS_PER_CONNECTION}. */
  maxStreamsPerConnection?: number;
  /** How long a caller that is to send the next message may say nothing. Default {@link DEFAULT_STREAM_IDLE_TIMEOUT_MS}. */
  streamIdleTimeoutMs?: number;
  /** After which connections are renewed, so that clients find new replicas. Default: never. */
  maxConnectionAgeMs?: number;
}

export interface GrpcServerOptions extends ListenOptions {
  services: readonly ServiceImplementation[];
  logger: Logger;
  /** Default true. */
  reflection?: boolean;
  /** Whose link to the stores decides whether the server is ready. */
  stores?: Pick<Stores, 'health'>;
  clock?: Clock;
  /** How often renewed TLS files are looked for. */
  reloadIntervalMs?: number;
}

export interface RunningGrpcServer {
  /** `host:port` that the server really listens on. */
  readonly address: string;
  /** `host:port` of the plain-text health probes, where there is one. */
  readonly healthAddress?: string;
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
  const { address, logger, tls, clock = systemClock } = options;
  assertSafe(options);
  const closing: (() => Promise<void> | void)[] = [];
  try {
    const callersFile =
      options.callersFile === undefined ? undefined : openCallersFile(options.callersFile, clock, logger);
    if (callersFile) closing.push(() => callersFile.close());
    const reload = options.reloadIntervalMs === undefined ? {} : { reloadIntervalMs: options.reloadIntervalMs };
    const secured = tls && serverTls(tls, { clock, logger, ...reload });
    if (secured) closing.push(() => secured.close());
    const verifiers = [options.auth, callersFile?.verify].filter((verify) => verify !== undefined);
    if (verifiers.length > 0 && !secured && !isLoopback(address)) {
      logger.warn({ address }, 'tokens travel in plain text beyond this machine: set tlsCertFile and tlsKeyFile');
    }

    const maxMessageBytes = options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES;
    const server = new grpc.Server({
      'grpc.max_receive_message_length': maxMessageBytes,
      'grpc.max_send_message_length': maxMessageBytes,
      'grpc.max_concurrent_streams': options.maxStreamsPerConnection ?? DEFAULT_MAX_STREAMS_PER_CONNECTION,
      'grpc.keepalive_time_ms': SERVER_KEEPALIVE_TIME_MS,
      'grpc.keepalive_timeout_ms': SERVER_KEEPALIVE_TIMEOUT_MS,
      ...(options.maxConnectionAgeMs !== undefined && { 'grpc.max_connection_age_ms': options.maxConnectionAgeMs }),
      interceptors: [
        gateInterceptor({
          ...(verifiers.length > 0 && { verify: anyOf(verifiers) }),
          quotas: new QuotaKeeper(options.quotas ?? {}, clock),
          clock,
          onEnd: callMetrics('server'),
        }),
      ],
    });
    const calls = new OpenCalls();
    for (const service of options.services) {
      server.addService(
        service.definition,
        service.bind({
          calls,
          streamIdleTimeoutMs: options.streamIdleTimeoutMs ?? DEFAULT_STREAM_IDLE_TIMEOUT_MS,
          onFailure: (method, error) => {
            const fields = { method, code: error.code, err: error };
            if (error.kind === 'internal') logger.error(fields, 'a call failed unexpectedly');
            else logger.debug(fields, 'a call was refused');
          },
        }),
      );
    }
    const names = options.services.map((service) => service.name);
    const storeHealth = options.stores?.health && (() => options.stores!.health!());
    const health = new ServerHealth({ names, storeHealth, clock, logger });
    closing.push(() => health.stop());
    health.addTo(server);
    if (options.reflection ?? true) {
      new ReflectionService(packageDefinition(), { services: names }).addToServer(server);
    }

    const bound = await bind(server, address, secured?.credentials ?? grpc.ServerCredentials.createInsecure());
    closing.push(() => server.forceShutdown());
    const probes =
      options.healthAddress === undefined ? undefined : await listenForProbes(health, options.healthAddress);
    if (probes) closing.push(() => probes.close());
    logger.info({ address: bound, services: names, ...(probes && { healthAddress: probes.address }) }, 'listening');
    return {
      address: bound,
      ...(probes && { healthAddress: probes.address }),
      async drain(graceMs) {
        health.stop();
        await shutDown(server, calls, graceMs, clock);
        for (const close of closing) await close();
        logger.info({ address: bound }, 'stopped');
      },
    };
  } catch (error) {
    for (const close of closing) await close();
    throw error;
  }
}

/** Nobody serves strangers by accident. */
function assertSafe({ address, auth, callersFile, tls, allowInsecure }: ListenOptions): void {
  if (!/:\d+$/.test(address)) throw new ConfigError(`"${address}" is no address to listen on: write host:port`);
  const authenticates = auth !== undefined || callersFile !== undefined || tls?.clientCaFile !== undefined;
  if (isLoopback(address) || authenticates || allowInsecure) return;
  throw new ConfigError(
    `refusing to listen on ${address}, beyond this machine, without authentication: set auth (a bearer token, a ` +
      'callers file or an authority for client certificates), or allowInsecure where the network itself is trusted',
    { code: 'INSECURE_LISTEN' },
  );
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
