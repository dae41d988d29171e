import { address, decimal, optional, text } from './config-parsers.js';
import type { ConfigTable, Parser } from './config.js';

const httpUrl: Parser<string> = (raw) => {
  const url = URL.canParse(text(raw)) ? new URL(text(raw)) : undefined;
  if (!url || !['http:', 'https:'].includes(url.protocol)) throw new Error('must be http://host:port or https://…');
  if (url.username !== '' || url.password !== '') {
    throw new Error('must hold no user or password: headers with secrets go into OTEL_EXPORTER_OTLP_HEADERS');
  }
  return text(raw).replace(/\/+$/, '');
};

/** Where a service tells how it does. */
export const TELEMETRY_SETTINGS = {
  metricsListen: {
    env: 'BBDISTILL_METRICS_LISTEN',
    parse: optional(address),
    default: undefined,
    meaning: 'host:port for Prometheus, which scrapes /metrics there in plain text; absent: none',
  },
  otlpEndpoint: {
    env: 'OTEL_EXPORTER_OTLP_ENDPOINT',
    parse: optional(httpUrl),
    default: undefined,
    meaning: 'URL of a collector that gets traces and metrics by OTLP over HTTP (…/v1/traces, …/v1/metrics)',
  },
  otlpHeaders: {
    env: 'OTEL_EXPORTER_OTLP_HEADERS',
    parse: optional(text),
    default: undefined,
    secret: true,
    meaning: 'headers for the collector, key=value with commas between; by variable or _FILE only',
  },
  traceSampleRatio: {
    env: 'BBDISTILL_TRACE_SAMPLE_RATIO',
    parse: decimal({ min: 0, max: 1 }),
    default: 1,
    meaning: 'part of the traces begun here that are recorded; what a caller has decided stays',
  },
} as const satisfies ConfigTable;

export type TelemetrySettings = typeof TELEMETRY_SETTINGS;
