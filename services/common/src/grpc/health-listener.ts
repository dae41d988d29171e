import * as grpc from '@grpc/grpc-js';
import type { ServerHealth } from './health.js';
import { bind } from './listening.js';

const PROBE_MESSAGE_BYTES = 4 * 1024;
const PROBE_STREAMS = 64;

export interface HealthListener {
  readonly address: string;
  close(): void;
}

/**
 * Answers health probes on a port of their own: Kubernetes' gRPC probes speak no TLS and show no certificate. Nothing
 * else can be asked there.
 */
export async function listenForProbes(health: ServerHealth, address: string): Promise<HealthListener> {
  const server = new grpc.Server({
    'grpc.max_receive_message_length': PROBE_MESSAGE_BYTES,
    'grpc.max_concurrent_streams': PROBE_STREAMS,
  });
  health.addTo(server);
  return {
    address: await bind(server, address, grpc.ServerCredentials.createInsecure()),
    close: () => server.forceShutdown(),
  };
}
