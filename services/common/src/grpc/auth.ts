import { timingSafeEqual } from 'node:crypto';
import { BbdError } from '../errors.js';
import { sha256Hex } from '../stores/blob-store.js';
import { scopeOfMethod } from './scopes.js';
import type { Scope } from './scopes.js';

/** What one caller may ask for at most; absent: any number. */
export interface Quotas {
  readonly callsPerMinute?: number;
  /** Open at once, streams included. */
  readonly concurrentCalls?: number;
}

/** Who makes a call. */
export interface Caller {
  /** For quotas, metrics and logs; never a secret. */
  readonly name: string;
  readonly scopes: ReadonlySet<Scope>;
  /** Instead of those that hold for everybody. */
  readonly quotas?: Quotas;
}

/**
 * Tells who calls, or throws.
 * @param token what came after `Bearer `, if anything did
 * @param method path of the method, e.g. `/bbdistill.v1.TeacherService/Label`
 * @throws BbdError of kind `unauthenticated` or `permission-denied`
 */
export type TokenVerifier = (token: string | undefined, method: string) => Caller | Promise<Caller>;

const EVERYTHING: ReadonlySet<Scope> = new Set<Scope>(['admin']);

/** Who calls where nobody is asked for a token. */
export const ANONYMOUS: Caller = { name: 'anonymous', scopes: EVERYTHING };

/** A caller whom a certificate of the operator's own authority names. */
export function certifiedCaller(commonName: string): Caller {
  return { name: `cert:${commonName}`, scopes: EVERYTHING };
}

/** Accepts one configured token, for every method. */
export function bearerToken(expected: string): TokenVerifier {
  const expectedDigest = digestOf(expected);
  const operator: Caller = { name: 'operator', scopes: EVERYTHING };
  return (token) => {
    if (token !== undefined && timingSafeEqual(digestOf(token), expectedDigest)) return operator;
    throw unauthenticated(token);
  };
}

/** Accepts what one of the verifiers accepts; the last one's word counts where none does. */
export function anyOf(verifiers: readonly TokenVerifier[]): TokenVerifier {
  return async (token, method) => {
    let refusal: unknown = unauthenticated(token);
    for (const verify of verifiers) {
      try {
        return await verify(token, method);
      } catch (thrown) {
        refusal = thrown;
      }
    }
    throw refusal;
  };
}

export function unauthenticated(token: string | undefined): BbdError {
  const what = token === undefined ? 'this call carries no bearer token' : 'the bearer token is not a known one';
  return new BbdError('unauthenticated', `${what}: send "authorization: Bearer <token>"`);
}

/** @throws BbdError `permission-denied` where the caller lacks the scope of the method */
export function assertMayCall(caller: Caller, method: string): void {
  const scope = scopeOfMethod(method);
  if (scope === undefined || caller.scopes.has(scope) || caller.scopes.has('admin')) return;
  throw new BbdError(
    'permission-denied',
    `${caller.name} may not call ${method}: its token has ${[...caller.scopes].join(', ')}, the call needs ${scope}`,
    { code: 'SCOPE_MISSING' },
  );
}

// Digests have equal lengths, so that the time tells nothing of the token.
function digestOf(token: string): Buffer {
  return Buffer.from(sha256Hex(token), 'hex');
}
