import { status } from '@grpc/grpc-js';
import { histogram } from '../telemetry.js';

const MS_PER_SECOND = 1_000;
/** From a look-up to a stream that lasts as long as a training. */
const BUCKETS_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600, 3600];

const durations = {
  server: histogram('bbdistill_rpc_server_seconds', {
    description: 'calls answered, by method and status: how many and how long',
    bounds: BUCKETS_SECONDS,
  }),
  client: histogram('bbdistill_rpc_client_seconds', {
    description: 'calls made to other services, by method and status: how many and how long',
    bounds: BUCKETS_SECONDS,
  }),
};

/** Rate, errors and duration of calls: one histogram has all three. */
export function callMetrics(side: 'server' | 'client') {
  return (path: string, code: status, durationMs: number): void => {
    const [, service = '', method = ''] = path.split('/');
    durations[side]().record(durationMs / MS_PER_SECOND, {
      rpc_service: service,
      rpc_method: method,
      status: status[code] ?? String(code),
    });
  };
}
