import { address, integer, optional, text } from './config-parsers.js';
import type { ConfigRule, ConfigTable, ConfigValues } from './config.js';
import {
  DEFAULT_MAX_CONNECTION_AGE_MS,
  DEFAULT_MAX_MESSAGE_BYTES,
  DEFAULT_MAX_STREAMS_PER_CONNECTION,
  DEFAULT_STREAM_IDLE_TIMEOUT_MS,
} from './grpc/limits.js';

const MIN_MESSAGE_BYTES = 4 * 1024 * 1024;
const MAX_MESSAGE_BYTES = 256 * 1024 * 1024;
const MAX_STREAMS = 100_000;
const MAX_CALLS_PER_MINUTE = 1_000_000;
const MIN_AGE_MS = 1_000;
const MAX_AGE_MS = 24 * 3_600_000;

/** Who may call a service, how well the way to it is protected, and how much one caller may ask of it. */
export const SECURITY_SETTINGS = {
  callersFile: {
    env: 'BBDISTILL_CALLERS_FILE',
    parse: optional(text),
    default: undefined,
    meaning:
      "YAML file with the callers: name, sha-256 of the caller's token, scopes, quotas; read anew when it changes",
  },
  tlsCertFile: {
    env: 'BBDISTILL_TLS_CERT_FILE',
    parse: optional(text),
    default: undefined,
    meaning:
      'PEM file with the certificate of this service; makes TLS required; read anew when it changes; also shown to ' +
      'the services that this one calls',
  },
  tlsKeyFile: {
    env: 'BBDISTILL_TLS_KEY_FILE',
    parse: optional(text),
    default: undefined,
    meaning: 'PEM file with the key of tlsCertFile',
  },
  tlsClientCaFile: {
    env: 'BBDISTILL_TLS_CLIENT_CA_FILE',
    parse: optional(text),
    default: undefined,
    meaning:
      'PEM file with the authority that signed the certificates of the callers; makes them required (mutual TLS); ' +
      'where no token is set either, such a certificate is enough for everything',
  },
  healthListen: {
    env: 'BBDISTILL_HEALTH_LISTEN',
    parse: optional(address),
    default: undefined,
    meaning:
      'host:port that answers health probes and nothing else, in plain text as Kubernetes asks; absent: only listen does',
  },
  callsPerMinute: {
    env: 'BBDISTILL_CALLS_PER_MINUTE',
    parse: optional(integer({ min: 1, max: MAX_CALLS_PER_MINUTE })),
    default: undefined,
    unit: 'calls/min',
    meaning: 'how many calls one caller may start; a caller of callersFile may have its own; absent: any number',
  },
  concurrentCalls: {
    env: 'BBDISTILL_CONCURRENT_CALLS',
    parse: optional(integer({ min: 1, max: MAX_STREAMS })),
    default: undefined,
    unit: 'calls',
    meaning: 'how many calls one caller may have open, streams included; absent: any number',
  },
  maxMessageBytes: {
    env: 'BBDISTILL_MAX_MESSAGE_BYTES',
    parse: integer({ min: MIN_MESSAGE_BYTES, max: MAX_MESSAGE_BYTES }),
    default: DEFAULT_MAX_MESSAGE_BYTES,
    unit: 'bytes',
    meaning: 'the largest message, either way',
  },
  maxStreamsPerConnection: {
    env: 'BBDISTILL_MAX_STREAMS_PER_CONNECTION',
    parse: integer({ min: 1, max: MAX_STREAMS }),
    default: DEFAULT_MAX_STREAMS_PER_CONNECTION,
    unit: 'calls',
    meaning: 'how many calls one connection may have open; more wait at the client',
  },
  streamIdleTimeoutMs: {
    env: 'BBDISTILL_STREAM_IDLE_TIMEOUT_MS',
    parse: integer({ min: MIN_AGE_MS, max: MAX_AGE_MS }),
    default: DEFAULT_STREAM_IDLE_TIMEOUT_MS,
    unit: 'ms',
    meaning: 'how long a caller that is to send the next message of a stream may say nothing',
  },
  maxConnectionAgeMs: {
    env: 'BBDISTILL_MAX_CONNECTION_AGE_MS',
    parse: integer({ min: MIN_AGE_MS, max: MAX_AGE_MS }),
    default: DEFAULT_MAX_CONNECTION_AGE_MS,
    unit: 'ms',
    meaning: 'after which connections are renewed, so that clients find new replicas; calls under way go on',
  },
} as const satisfies ConfigTable;

export type SecuritySettings = typeof SECURITY_SETTINGS;

/** What the settings of protection have to agree on. */
export const SECURITY_RULES: readonly ConfigRule<SecuritySettings>[] = [
  {
    name: 'certificate-with-key',
    check: ({ tlsCertFile, tlsKeyFile }) =>
      (tlsCertFile === undefined) === (tlsKeyFile === undefined)
        ? undefined
        : 'tlsCertFile and tlsKeyFile belong together: set both, or neither',
  },
  {
    name: 'client-certificates-need-tls',
    check: ({ tlsClientCaFile, tlsCertFile }) =>
      tlsClientCaFile === undefined || tlsCertFile !== undefined
        ? undefined
        : 'tlsClientCaFile asks for certificates of callers, but tlsCertFile is not set: set tlsCertFile and tlsKeyFile',
  },
];

/** The settings of protection as a server takes them. */
export function securityOptions(values: ConfigValues<SecuritySettings>) {
  const { tlsCertFile, tlsKeyFile, tlsClientCaFile, callersFile, healthListen, callsPerMinute, concurrentCalls } =
    values;
  const { maxMessageBytes, maxStreamsPerConnection, streamIdleTimeoutMs, maxConnectionAgeMs } = values;
  return {
    maxMessageBytes,
    maxStreamsPerConnection,
    streamIdleTimeoutMs,
    maxConnectionAgeMs,
    quotas: {
      ...(callsPerMinute !== undefined && { callsPerMinute }),
      ...(concurrentCalls !== undefined && { concurrentCalls }),
    },
    ...(callersFile !== undefined && { callersFile }),
    ...(healthListen !== undefined && { healthAddress: healthListen }),
    ...(tlsCertFile !== undefined &&
      tlsKeyFile !== undefined && {
        tls: {
          certFile: tlsCertFile,
          keyFile: tlsKeyFile,
          ...(tlsClientCaFile !== undefined && { clientCaFile: tlsClientCaFile }),
        },
      }),
  };
}
