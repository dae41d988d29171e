import { JetStreamApiCodes, JetStreamApiError } from '@nats-io/jetstream';
import { JetStreamStatusError } from '@nats-io/jetstream/internal';
import { errors } from '@nats-io/transport-node';
import { BbdError, ConfigError, UnavailableError, asBbdError } from '../../errors.js';

/** NATS has no room left within the limits of the server, the account or the stream. Nothing stored before is lost. */
export class StoreFullError extends BbdError {
  constructor(what: string, cause: unknown) {
    super('resource-exhausted', `NATS has no room to ${what}: raise its storage limit or delete runs, then resume`, {
      code: 'STORE_FULL',
      cause,
    });
  }
}

/** The connection was lost in the middle of a request, and is there again: whether the request was carried out is open. */
export class ConnectionRenewedError extends UnavailableError {
  constructor() {
    super('the connection to NATS was renewed in the middle of a request');
  }
}

const STREAM_NAME_IN_USE = 10058;
const CONSUMER_EXISTS = 10148;
const FULL = [
  10002, // resource limits exceeded for account
  10023, // insufficient resources
  10028, // memory limit
  10047, // insufficient storage resources
];
/** Whatever the store says: "maximum bytes exceeded" of the stream's own limits, "store is closed" of a server that stops. */
const STORE_FAILED = 10077;
/** In a cluster: the publish before this repeat is on its way, the next repeat finds it stored. */
const REPEAT_IN_PROCESS = 10158;
const SERVICE_UNAVAILABLE = 503;
const TOO_MANY_REQUESTS = 429;
const REQUEST_TIMEOUT = 408;

function causes(thrown: unknown): unknown[] {
  return thrown instanceof Error ? [thrown, ...causes(thrown.cause)] : [];
}

function apiError(thrown: unknown): JetStreamApiError | undefined {
  return causes(thrown).find((cause) => cause instanceof JetStreamApiError);
}

const apiCode = (thrown: unknown): number | undefined => apiError(thrown)?.code;

export const isWrongLastSequence = (thrown: unknown): boolean =>
  apiCode(thrown) === JetStreamApiCodes.StreamWrongLastSequence ||
  apiCode(thrown) === JetStreamApiCodes.StreamWrongLastSequenceUnknown;

export const isConsumerMissing = (thrown: unknown): boolean =>
  apiCode(thrown) === JetStreamApiCodes.ConsumerNotFound ||
  causes(thrown).some((cause) => cause instanceof errors.NoRespondersError);

export const existsOtherwise = (thrown: unknown): boolean =>
  apiCode(thrown) === STREAM_NAME_IN_USE || apiCode(thrown) === CONSUMER_EXISTS;

function isFull(thrown: unknown): boolean {
  const { code, message } = apiError(thrown) ?? {};
  return code === STORE_FAILED ? /^maximum /.test(message ?? '') : FULL.includes(code ?? 0);
}

/** Whether the server may carry out the same request a moment later: it is away, starts, is busy, or elects a leader. */
export function isPassing(thrown: unknown): boolean {
  if (isFull(thrown) || isRefused(thrown) || tlsFault(thrown) !== undefined) return false;
  return causes(thrown).some(
    (cause) =>
      cause instanceof ConnectionRenewedError ||
      cause instanceof errors.TimeoutError ||
      cause instanceof errors.NoRespondersError ||
      cause instanceof errors.ConnectionError ||
      (cause instanceof errors.RequestError && cause.isNoResponders()) ||
      (cause instanceof JetStreamApiError && isPassingAnswer(cause)) ||
      (cause instanceof JetStreamStatusError && isPassingStatus(cause)) ||
      (cause as NodeJS.ErrnoException).code === 'ECONNREFUSED',
  );
}

const isPassingAnswer = ({ code, status }: JetStreamApiError): boolean =>
  code === REPEAT_IN_PROCESS || status === SERVICE_UNAVAILABLE || status === TOO_MANY_REQUESTS;

/** Of a direct read, which has no other error than this: 503 where no server answers the stream's reads yet. */
const isPassingStatus = ({ code, message }: JetStreamStatusError): boolean =>
  code === SERVICE_UNAVAILABLE ||
  code === TOO_MANY_REQUESTS ||
  // Direct reads tell of a bad request by the same number.
  (code === REQUEST_TIMEOUT && /timeout/i.test(message)) ||
  /store is closed/i.test(message);

/** A failure of NATS as a typed error. */
export function natsError(thrown: unknown, what: string): BbdError {
  if (isFull(thrown)) return new StoreFullError(what, thrown);
  if (isRefused(thrown)) {
    return new BbdError('unauthenticated', 'NATS refuses the credentials: check the file that they come from', {
      code: 'NATS_CREDENTIALS',
      cause: thrown,
    });
  }
  const tls = tlsFault(thrown);
  if (tls !== undefined) {
    return new ConfigError(
      `no TLS with NATS: ${tls}; check natsUrl, natsCaFile (who signed the certificate of NATS), natsCertFile and natsKeyFile`,
      { code: 'NATS_TLS', cause: thrown },
    );
  }
  for (const cause of causes(thrown)) {
    if (cause instanceof errors.ClosedConnectionError || cause instanceof errors.DrainingConnectionError) {
      return new UnavailableError(`the connection to NATS is closed: can't ${what}`, {
        cause: thrown,
        retryable: false,
      });
    }
    if (cause instanceof errors.PermissionViolationError) {
      return new BbdError('permission-denied', `NATS doesn't let this user ${what}: ${cause.message}`, {
        code: 'NATS_PERMISSIONS',
        cause: thrown,
      });
    }
  }
  return asBbdError(thrown);
}

const isRefused = (thrown: unknown): boolean =>
  causes(thrown).some(
    (cause) => cause instanceof errors.AuthorizationError || cause instanceof errors.UserAuthenticationExpiredError,
  );

/** Codes of Node and OpenSSL for certificates and keys that don't do. */
const TLS_CODE = /^(ERR_TLS|ERR_SSL|ERR_OSSL|CERT_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO|HOSTNAME_MISMATCH|INVALID_CA)/;
const NO_TLS_THERE = "server does not support 'tls'";

/** What is wrong with the certificates or the server's TLS: nothing that passes by waiting. */
function tlsFault(thrown: unknown): string | undefined {
  for (const cause of causes(thrown)) {
    const { code, message } = cause as NodeJS.ErrnoException;
    if ((typeof code === 'string' && TLS_CODE.test(code)) || message === NO_TLS_THERE) return message;
  }
  return undefined;
}
