import * as grpc from '@grpc/grpc-js';
import type { Clock } from '../clock.js';
import { ANONYMOUS, assertMayCall, certifiedCaller } from './auth.js';
import type { Caller, TokenVerifier } from './auth.js';
import type { QuotaKeeper } from './quota-keeper.js';
import { toGrpcStatus } from './status.js';

// Probes of Kubernetes and load balancers carry no token.
const OPEN_TO_ALL = '/grpc.health.v1.Health/';

export interface GateOptions {
  /** Absent: callers need no token. */
  verify?: TokenVerifier;
  quotas: QuotaKeeper;
  clock: Clock;
  /** Told of every call that ended, refused ones included. */
  onEnd: (method: string, status: grpc.status, durationMs: number) => void;
}

const callers = new WeakMap<grpc.Metadata, Caller>();

/** Who makes the call that came with this metadata; known once the gate has let it in. */
export function callerOf(metadata: grpc.Metadata): Caller {
  return callers.get(metadata) ?? ANONYMOUS;
}

/** Every call passes here before any handler sees it: who is it, may it, how much has it asked, how did it end. */
export function gateInterceptor({ verify, quotas, clock, onEnd }: GateOptions): grpc.ServerInterceptor {
  return (method, call) => {
    if (method.path.startsWith(OPEN_TO_ALL)) return new grpc.ServerInterceptingCall(call);
    const startedMs = clock.monotonicMs();
    let leave = (): void => undefined;
    let over = false;
    const end = (status: grpc.status) => {
      if (over) return;
      over = true;
      leave();
      onEnd(method.path, status, clock.monotonicMs() - startedMs);
    };
    const refuse = (thrown: unknown) => {
      const status = toGrpcStatus(thrown);
      end(status.code);
      call.sendStatus(status);
    };
    const admit = async (metadata: grpc.Metadata) => {
      const caller = verify ? await verify(bearerOf(metadata), method.path) : certificateOf(call);
      assertMayCall(caller, method.path);
      // The client may have hung up while its token was looked at.
      if (!over) leave = quotas.enter(caller);
      callers.set(metadata, caller);
    };
    return new grpc.ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata: (metadata, pass) => void admit(metadata).then(() => pass(metadata), refuse),
          onCancel: () => end(grpc.status.CANCELLED),
        });
      },
      sendStatus(status, next) {
        end(status.code ?? grpc.status.OK);
        next(status);
      },
    });
  };
}

function bearerOf(metadata: grpc.Metadata): string | undefined {
  const header = metadata.get('authorization')[0]?.toString() ?? '';
  return /^Bearer (.+)$/i.exec(header)?.[1];
}

/** TLS has refused who has no certificate, where one is asked for. */
function certificateOf(call: grpc.ServerInterceptingCallInterface): Caller {
  const name: unknown = call.getAuthContext().sslPeerCertificate?.subject?.CN;
  return typeof name === 'string' ? certifiedCaller(name) : ANONYMOUS;
}
