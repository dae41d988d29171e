import { Metadata, status } from '@grpc/grpc-js';
import type { ServiceError, StatusObject } from '@grpc/grpc-js';
import { asBbdError, errorOfKind } from '../errors.js';
import type { BbdError, ErrorKind } from '../errors.js';
import { readRetryInfo, setRetryInfo } from './retry-info.js';

const STATUS_OF_KIND: Record<ErrorKind, status> = {
  'invalid-argument': status.INVALID_ARGUMENT,
  'not-found': status.NOT_FOUND,
  'already-exists': status.ALREADY_EXISTS,
  'failed-precondition': status.FAILED_PRECONDITION,
  'budget-exhausted': status.RESOURCE_EXHAUSTED,
  'resource-exhausted': status.RESOURCE_EXHAUSTED,
  unavailable: status.UNAVAILABLE,
  'deadline-exceeded': status.DEADLINE_EXCEEDED,
  cancelled: status.CANCELLED,
  unauthenticated: status.UNAUTHENTICATED,
  'permission-denied': status.PERMISSION_DENIED,
  conflict: status.ABORTED,
  'data-loss': status.DATA_LOSS,
  unimplemented: status.UNIMPLEMENTED,
  internal: status.INTERNAL,
};

/** For answers of servers that aren't ours, which send no `bbd-kind`. */
const KIND_OF_STATUS = new Map<number, ErrorKind>([
  ...Object.entries(STATUS_OF_KIND).map(([kind, code]): [number, ErrorKind] => [code, kind as ErrorKind]),
  [status.OUT_OF_RANGE, 'invalid-argument'],
  [status.UNKNOWN, 'internal'],
]);

const KIND_KEY = 'bbd-kind';
const CODE_KEY = 'bbd-code';
const RETRYABLE_KEY = 'bbd-retryable';
const RETRY_AFTER_KEY = 'bbd-retry-after-ms';

/** Trailers have to fit HTTP/2's header limits. */
const MAX_MESSAGE_CHARACTERS = 2000;

/** The one way from an error to a gRPC status; what a status can't say travels in trailing metadata. */
export function toGrpcStatus(thrown: unknown): StatusObject {
  const error = asBbdError(thrown);
  const metadata = new Metadata();
  metadata.set(KIND_KEY, error.kind);
  metadata.set(CODE_KEY, error.code);
  metadata.set(RETRYABLE_KEY, String(error.retryable));
  if (error.retryAfterMs !== undefined) {
    metadata.set(RETRY_AFTER_KEY, String(error.retryAfterMs));
    setRetryInfo(metadata, STATUS_OF_KIND[error.kind], wellFormed(error.message), error.retryAfterMs);
  }
  return { code: STATUS_OF_KIND[error.kind], details: wellFormed(error.message), metadata };
}

/** The error that a gRPC status stands for: of the kind and code that the server threw. */
export function fromGrpcError(thrown: unknown): BbdError {
  if (!isServiceError(thrown)) return asBbdError(thrown);
  const sent = (key: string) => thrown.metadata?.get(key)[0]?.toString();
  const kind = knownKind(sent(KIND_KEY)) ?? KIND_OF_STATUS.get(thrown.code) ?? 'internal';
  const code = sent(CODE_KEY);
  const retryable = sent(RETRYABLE_KEY);
  const retryAfterMs = Number(sent(RETRY_AFTER_KEY) ?? readRetryInfo(thrown.metadata) ?? Number.NaN);
  return errorOfKind(kind, thrown.details || thrown.message, {
    cause: thrown,
    ...(code !== undefined && { code }),
    ...(retryable !== undefined && { retryable: retryable === 'true' }),
    ...(Number.isFinite(retryAfterMs) && { retryAfterMs }),
  });
}

function knownKind(value: string | undefined): ErrorKind | undefined {
  return value !== undefined && value in STATUS_OF_KIND ? (value as ErrorKind) : undefined;
}

function isServiceError(thrown: unknown): thrown is ServiceError {
  return (
    thrown instanceof Error &&
    typeof (thrown as Partial<ServiceError>).code === 'number' &&
    typeof (thrown as Partial<ServiceError>).details === 'string'
  );
}

/** gRPC percent-encodes messages and throws on half a surrogate pair. */
function wellFormed(message: string): string {
  const cut = message.length > MAX_MESSAGE_CHARACTERS ? `${message.slice(0, MAX_MESSAGE_CHARACTERS)}…` : message;
  return Buffer.from(cut, 'utf8').toString('utf8');
}
