import { integer, listOf, oneOf, optional, text } from '../config-parsers.js';
import type { ConfigRule, ConfigTable, ConfigValues, Parser } from '../config.js';
import {
  DEFAULT_MAX_STREAM_BYTES,
  DEFAULT_NATS_NAMESPACE,
  DEFAULT_NATS_PATIENCE_MS,
  isNamespace,
} from './nats/open-nats-stores.js';
import type { NatsStoresOptions } from './nats/open-nats-stores.js';
import { DEFAULT_ACK_WAIT_MS } from './work-queue.js';

const MIN_PATIENCE_MS = 1_000;
const MAX_PATIENCE_MS = 600_000;
const MIN_ACK_WAIT_MS = 3_000;
const MAX_ACK_WAIT_MS = 600_000;

const natsUrl: Parser<string> = (raw) => {
  const url = URL.canParse(text(raw)) ? new URL(text(raw)) : undefined;
  if (!url || !['nats:', 'tls:'].includes(url.protocol) || url.hostname === '') {
    throw new Error(`must be nats://host:port or tls://host:port, not "${String(raw)}"`);
  }
  if (url.username !== '' || url.password !== '') {
    throw new Error(
      `must hold no user or password (${url.host}): name a file in natsCredsFile, natsNkeyFile or natsTokenFile`,
    );
  }
  return `${url.protocol}//${url.host}`;
};

const namespace: Parser<string> = (raw) => {
  const name = text(raw);
  if (!isNamespace(name)) throw new Error(`must be 1 to 32 letters, digits, "-" and "_", not "${name}"`);
  return name;
};

const maxBytes = (what: string, env: string) => ({
  env,
  parse: integer({ min: DEFAULT_MAX_STREAM_BYTES }),
  default: DEFAULT_MAX_STREAM_BYTES,
  unit: 'bytes',
  meaning: `at which size the stream of ${what} refuses writes; -1 leaves it to the limits of the account`,
});

const file = (env: string, meaning: string) => ({ env, parse: optional(text), default: undefined, meaning });

/** Where a service keeps what services share. */
export const STORE_SETTINGS = {
  natsUrl: {
    env: 'NATS_URL',
    parse: optional(listOf(natsUrl)),
    default: undefined,
    meaning:
      'NATS servers (nats:// or tls://, commas between) whose JetStream keeps the stores that all services share; ' +
      'absent: the folder state, for this process alone',
  },
  natsCredsFile: file('NATS_CREDS_FILE', 'file with the JWT and NKey seed of this service (.creds)'),
  natsNkeyFile: file('NATS_NKEY_FILE', "file with this service's NKey seed (SU…)"),
  natsTokenFile: file('NATS_TOKEN_FILE', 'file with a token for NATS'),
  natsCaFile: file(
    'NATS_CA_FILE',
    'PEM file with the authority that signed the certificate of NATS; makes TLS required',
  ),
  natsCertFile: file('NATS_CERT_FILE', 'PEM file with the certificate that this service shows NATS (mutual TLS)'),
  natsKeyFile: file('NATS_KEY_FILE', 'PEM file with the key of natsCertFile'),
  natsReplicas: {
    env: 'NATS_REPLICAS',
    parse: (raw: unknown) => Number(oneOf('1', '3', '5')(String(raw))),
    default: 1,
    unit: 'servers',
    meaning: 'how many NATS servers keep each message: 1, 3 or 5; the same for all services',
  },
  natsNamespace: {
    env: 'NATS_NAMESPACE',
    parse: namespace,
    default: DEFAULT_NATS_NAMESPACE,
    meaning: 'begins the names of all streams, so that several systems can share a NATS; the same for all services',
  },
  natsMaxBlobBytes: maxBytes('images, answers and students', 'NATS_MAX_BLOB_BYTES'),
  natsMaxStateBytes: maxBytes('records', 'NATS_MAX_STATE_BYTES'),
  natsMaxQueueBytes: maxBytes('queued jobs', 'NATS_MAX_QUEUE_BYTES'),
  natsMaxEventBytes: maxBytes("runs' events", 'NATS_MAX_EVENT_BYTES'),
  natsPatienceMs: {
    env: 'NATS_PATIENCE_MS',
    parse: integer({ min: MIN_PATIENCE_MS, max: MAX_PATIENCE_MS }),
    default: DEFAULT_NATS_PATIENCE_MS,
    unit: 'ms',
    meaning: 'how long an operation waits for a NATS that is away before it fails',
  },
  natsAckWaitMs: {
    env: 'NATS_ACK_WAIT_MS',
    parse: integer({ min: MIN_ACK_WAIT_MS, max: MAX_ACK_WAIT_MS }),
    default: DEFAULT_ACK_WAIT_MS,
    unit: 'ms',
    meaning: 'after which the job of a worker that fell silent is given to another one; the same for all services',
  },
} as const satisfies ConfigTable;

export type StoreSettings = typeof STORE_SETTINGS;

const SETTINGS = Object.keys(STORE_SETTINGS) as (keyof StoreSettings)[];

/** What the settings of the stores have to agree on. */
export const STORE_RULES: readonly ConfigRule<StoreSettings>[] = [
  {
    name: 'nats-settings-need-nats',
    check: (values) => {
      if (values.natsUrl !== undefined) return undefined;
      const idle = SETTINGS.filter((key) => values[key] !== STORE_SETTINGS[key].default);
      return idle.length === 0
        ? undefined
        : `${idle.join(' and ')} say how to use NATS, but natsUrl is not set: set natsUrl (NATS_URL), or leave them out`;
    },
  },
  {
    name: 'one-identity',
    check: (values) => {
      const given = (['natsCredsFile', 'natsNkeyFile', 'natsTokenFile'] as const).filter(
        (key) => values[key] !== undefined,
      );
      return given.length < 2
        ? undefined
        : `${given.join(' and ')} can't both say who this service is: set one of them`;
    },
  },
  {
    name: 'certificate-with-key',
    check: ({ natsCertFile, natsKeyFile }) =>
      (natsCertFile === undefined) === (natsKeyFile === undefined)
        ? undefined
        : 'natsCertFile and natsKeyFile belong together: set both, or neither',
  },
];

/** How the NATS stores are opened with these settings. */
export function natsStoresOptions(
  values: ConfigValues<StoreSettings> & { natsUrl: readonly string[] },
): Omit<NatsStoresOptions, 'clock' | 'logger'> {
  const { natsCredsFile, natsNkeyFile, natsTokenFile, natsCaFile, natsCertFile, natsKeyFile } = values;
  const asksForTls = values.natsUrl.some((url) => url.startsWith('tls:'));
  const hasTls = asksForTls || natsCaFile !== undefined || natsCertFile !== undefined;
  return {
    servers: values.natsUrl,
    credentials: {
      ...(natsCredsFile !== undefined && { credsFile: natsCredsFile }),
      ...(natsNkeyFile !== undefined && { nkeySeedFile: natsNkeyFile }),
      ...(natsTokenFile !== undefined && { tokenFile: natsTokenFile }),
      ...(hasTls && {
        tls: {
          ...(natsCaFile !== undefined && { caFile: natsCaFile }),
          ...(natsCertFile !== undefined && { certFile: natsCertFile }),
          ...(natsKeyFile !== undefined && { keyFile: natsKeyFile }),
        },
      }),
    },
    replicas: values.natsReplicas,
    namespace: values.natsNamespace,
    patienceMs: values.natsPatienceMs,
    ackWaitMs: values.natsAckWaitMs,
    maxBytes: {
      blobs: values.natsMaxBlobBytes,
      state: values.natsMaxStateBytes,
      queue: values.natsMaxQueueBytes,
      events: values.natsMaxEventBytes,
    },
  };
}
