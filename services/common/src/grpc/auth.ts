import { timingSafeEqual } from 'node:crypto';
import * as grpc from '@grpc/grpc-js';
import { BbdError } from '../errors.js';
import { sha256Hex } from '../stores/blob-store.js';
import { toGrpcStatus } from './status.js';

/**
 * Lets a call pass or throws.
 * @param token what came after `Bearer `, if anything did
 * @param method path of the method, e.g. `/bbdistill.v1.TeacherService/Label`
 * @throws BbdError of kind `unauthenticated` or `permission-denied`
 */
export type TokenVerifier = (token: string | undefined, method: string) => void | Promise<void>;

/** Accepts one configured token, for every method. */
export function bearerToken(expected: string): TokenVerifier {
  const digest = (token: string) => Buffer.from(sha256Hex(token));
  const expectedDigest = digest(expected);
  return (token) => {
    // Digests have equal lengths, so that the time tells nothing of the token.
    if (token !== undefined && timingSafeEqual(digest(token), expectedDigest)) return;
    const what = token === undefined ? 'this call carries no bearer token' : 'the bearer token is not the right one';
    throw new BbdError('unauthenticated', `${what}: send "authorization: Bearer <token>"`);
  };
}

// Probes of Kubernetes and load balancers carry no token.
const OPEN_TO_ALL = '/grpc.health.v1.Health/';

/** Asks the verifier before any handler sees the call. */
export function authInterceptor(verify: TokenVerifier): grpc.ServerInterceptor {
  return (method, call) => {
    if (method.path.startsWith(OPEN_TO_ALL)) return new grpc.ServerInterceptingCall(call);
    return new grpc.ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata(metadata, pass) {
            const header = metadata.get('authorization')[0]?.toString() ?? '';
            const token = /^Bearer (.+)$/i.exec(header)?.[1];
            Promise.resolve()
              .then(() => verify(token, method.path))
              .then(
                () => pass(metadata),
                (thrown: unknown) => call.sendStatus(toGrpcStatus(thrown)),
              );
          },
        });
      },
    });
  };
}
