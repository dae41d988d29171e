import type { Metadata } from '@grpc/grpc-js';
import type { TraceCarrier } from '../telemetry.js';

/** Headers that carry a trace (W3C Trace Context). */
const TRACE_HEADERS = ['traceparent', 'tracestate'];

/** The trace that came with a call, if one did. */
export function carrierOf(metadata: Metadata): TraceCarrier {
  const found = TRACE_HEADERS.map((key) => [key, metadata.get(key)[0]?.toString()]);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined)) as TraceCarrier;
}

/** Sends a trace along with a call. */
export function carryTrace(metadata: Metadata, carrier: TraceCarrier): void {
  for (const [key, value] of Object.entries(carrier)) metadata.set(key, value);
}
