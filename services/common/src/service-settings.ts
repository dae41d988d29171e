import { address, flag, oneOf, optional, text } from './config-parsers.js';
import type { ConfigRule, ConfigTable } from './config.js';
import { isLoopback } from './grpc/listening.js';
import { LOG_LEVELS } from './logging.js';
import { SECURITY_RULES, SECURITY_SETTINGS } from './security-settings.js';
import { TELEMETRY_SETTINGS } from './telemetry-settings.js';

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
        'bearer token that opens everything; only in this variable or in the file that BBDISTILL_TOKEN_FILE names; ' +
        'callersFile has tokens that open less',
    },
    allowInsecure: {
      env: 'BBDISTILL_ALLOW_INSECURE',
      parse: flag,
      default: false,
      meaning: 'listen beyond this machine without token, callersFile or tlsClientCaFile, in a trusted network',
    },
    ...SECURITY_SETTINGS,
    ...TELEMETRY_SETTINGS,
  } as const satisfies ConfigTable;
}

export type ServiceSettings = ReturnType<typeof serviceSettings>;

/** Nobody serves strangers by accident. */
export const listensSafely: ConfigRule<ServiceSettings> = {
  name: 'listens-safely',
  check: ({ listen, token, callersFile, tlsClientCaFile, allowInsecure }) =>
    isLoopback(listen) || [token, callersFile, tlsClientCaFile].some((means) => means !== undefined) || allowInsecure
      ? undefined
      : `listen is ${listen}, beyond this machine, and token is not set: set token (BBDISTILL_TOKEN or ` +
        'BBDISTILL_TOKEN_FILE), callersFile or tlsClientCaFile, or allowInsecure where the network itself is trusted',
};

const listensApart: ConfigRule<ServiceSettings> = {
  name: 'listens-apart',
  check: ({ listen, healthListen, metricsListen }) => {
    const taken = Object.entries({ listen, healthListen, metricsListen }).filter(
      (entry): entry is [string, string] => entry[1] !== undefined && !entry[1].endsWith(':0'),
    );
    const clash = taken.find(([, value], n) => taken.findIndex(([, other]) => other === value) < n);
    if (!clash) return undefined;
    const [first] = taken.find(([, value]) => value === clash[1])!;
    return `${first} and ${clash[0]} are both ${clash[1]}, but each needs a port of its own: change one`;
  },
};

/** What the settings of every service have to agree on. */
export const SERVICE_RULES: readonly ConfigRule<ServiceSettings>[] = [listensSafely, listensApart, ...SECURITY_RULES];
