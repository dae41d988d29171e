import { redactSecrets } from './secrets.js';

/**
 * The kinds of failure that callers act upon. One function (`grpc/status.ts`) maps them to gRPC statuses.
 */
export type ErrorKind =
  | 'invalid-argument'
  | 'not-found'
  | 'already-exists'
  | 'failed-precondition'
  | 'budget-exhausted'
  | 'resource-exhausted'
  | 'unavailable'
  | 'deadline-exceeded'
  | 'cancelled'
  | 'unauthenticated'
  | 'permission-denied'
  | 'conflict'
  | 'data-loss'
  | 'unimplemented'
  | 'internal';

export interface BbdErrorOptions {
  /** Stable upper-case word that machines read, e.g. `IMAGE_TRUNCATED`. Default: the kind in upper case. */
  code?: string;
  cause?: unknown;
  /** Whether the same work may succeed when tried again unchanged. Default: only for `unavailable`. */
  retryable?: boolean;
  /** Earliest useful retry, where the other side said so. */
  retryAfterMs?: number;
}

/**
 * Base of every error that the system throws on purpose. The message tells the value that was wrong and what to do
 * next; it may be shown to a user as it is and never holds a secret.
 */
export class BbdError extends Error {
  readonly kind: ErrorKind;
  readonly code: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;

  constructor(kind: ErrorKind, message: string, options: BbdErrorOptions = {}) {
    super(redactSecrets(message), options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.kind = kind;
    this.code = options.code ?? kind.replaceAll('-', '_').toUpperCase();
    this.retryable = options.retryable ?? kind === 'unavailable';
    this.retryAfterMs = options.retryAfterMs;
  }
}

/** The caller gave something that can never work. */
export class InvalidArgumentError extends BbdError {
  constructor(message: string, options?: BbdErrorOptions) {
    super('invalid-argument', message, options);
  }
}

/** What was named doesn't exist. */
export class NotFoundError extends BbdError {
  constructor(message: string, options?: BbdErrorOptions) {
    super('not-found', message, options);
  }
}

/** The system is not in the state that the call needs. */
export class FailedPreconditionError extends BbdError {
  constructor(message: string, options?: BbdErrorOptions) {
    super('failed-precondition', message, options);
  }
}

/** Another writer was first (compare-and-set lost). Read again and decide anew. */
export class ConflictError extends BbdError {
  constructor(message: string, options?: BbdErrorOptions) {
    super('conflict', message, { retryable: true, ...options });
  }
}

/** Stored bytes are not what was written. */
export class DataLossError extends BbdError {
  constructor(message: string, options?: BbdErrorOptions) {
    super('data-loss', message, options);
  }
}

/** The other side can't be reached now. */
export class UnavailableError extends BbdError {
  constructor(message: string, options?: BbdErrorOptions) {
    super('unavailable', message, options);
  }
}

/** The caller asked to stop. */
export class CancelledError extends BbdError {
  constructor(message = 'cancelled', options?: BbdErrorOptions) {
    super('cancelled', message, options);
  }
}

/** A setting is wrong or two settings contradict each other. */
export class ConfigError extends BbdError {
  constructor(message: string, options?: BbdErrorOptions) {
    super('invalid-argument', message, { code: 'CONFIG', ...options });
  }
}

/** An error of the class that belongs to its kind, where there is one. */
export function errorOfKind(kind: ErrorKind, message: string, options: BbdErrorOptions): BbdError {
  switch (kind) {
    case 'invalid-argument':
      return new InvalidArgumentError(message, options);
    case 'not-found':
      return new NotFoundError(message, options);
    case 'failed-precondition':
      return new FailedPreconditionError(message, options);
    case 'conflict':
      return new ConflictError(message, options);
    case 'data-loss':
      return new DataLossError(message, options);
    case 'unavailable':
      return new UnavailableError(message, options);
    case 'cancelled':
      return new CancelledError(message, options);
    default:
      return new BbdError(kind, message, options);
  }
}

/** Any thrown value as a `BbdError`; foreign errors become `internal` with their cause kept. */
export function asBbdError(thrown: unknown): BbdError {
  if (thrown instanceof BbdError) return thrown;
  if (thrown instanceof Error) {
    if (thrown.name === 'AbortError') return new CancelledError('cancelled', { cause: thrown });
    return new BbdError('internal', thrown.message, { cause: thrown });
  }
  return new BbdError('internal', String(thrown));
}
