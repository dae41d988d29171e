import { address, flag, oneOf, optional, text } from './config-parsers.js';
import type { ConfigRule, ConfigTable } from './config.js';
import { isLoopback } from './grpc/server.js';
import { LOG_LEVELS } from './logging.js';

/** The settings that every service has. */
export function serviceSettings(defaults: { listen: string; state: string }) {
  return {
    listen: {
      env: 'BBDISTILL_LISTEN',
      parse: address,
      default: defaults.listen,
      meaning: 'host:port to serve gRPC on; port 0 takes any free one; beyond this machine only with a token',
    },
    state: {
      env: 'BBDISTILL_STATE',
      parse: text,
      default: defaults.state,
      meaning: 'folder of the embedded stores, for one process at a time; services on one NATS (natsUrl) share theirs',
    },
    logLevel: {
      env: 'BBDISTILL_LOG_LEVEL',
      parse: oneOf(...LOG_LEVELS),
      default: 'info',
      meaning: 'what is logged, as JSON to standard error',
    },
    token: {
      env: 'BBDISTILL_TOKEN',
      parse: optional(text),
      default: undefined,
      secret: true,
      meaning:
        'bearer token that callers must send; only in this variable or in the file that BBDISTILL_TOKEN_FILE names',
    },
    allowInsecure: {
      env: 'BBDISTILL_ALLOW_INSECURE',
      parse: flag,
      default: false,
      meaning: 'listen beyond this machine without a token, where the network itself is trusted',
    },
  } as const satisfies ConfigTable;
}

export type ServiceSettings = ReturnType<typeof serviceSettings>;

/** Nobody serves strangers by accident. */
export const listensSafely: ConfigRule<ServiceSettings> = {
  name: 'listens-safely',
  check: ({ listen, token, allowInsecure }) =>
    isLoopback(listen) || token !== undefined || allowInsecure
      ? undefined
      : `listen is ${listen}, beyond this machine, and token is not set: set token (BBDISTILL_TOKEN or ` +
        'BBDISTILL_TOKEN_FILE), or allowInsecure where the network itself is trusted',
};
