import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { DiagLogLevel, context, diag, metrics, propagation, trace } from '@opentelemetry/api';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import type { IMetricReader } from '@opentelemetry/sdk-metrics';
import {
  BatchSpanProcessor,
  NodeTracerProvider,
  ParentBasedSampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-node';
import { ATTR_SERVICE_INSTANCE_ID, ATTR_SERVICE_NAME } from '@opentelemetry/semantic-conventions';
import { systemClock } from './clock.js';
import { UnavailableError } from './errors.js';
import type { Logger } from './logger.js';
import { meter } from './telemetry.js';

/** How often figures are sent to a collector. */
export const METRIC_EXPORT_INTERVAL_MS = 15_000;
export const TRACE_EXPORT_DELAY_MS = 1_000;
/** A collector that is away must not keep a service from ending. */
const SHUTDOWN_LIMIT_MS = 5_000;
const METRICS_PATH = '/metrics';
const NS_PER_SECOND = 1e9;
const US_PER_SECOND = 1e6;

export interface TelemetryOptions {
  /** Which service this is, e.g. `orchestrator`. */
  service: string;
  /** `host:port` that Prometheus scrapes; absent: none. */
  metricsListen?: string;
  /** URL of a collector, without `/v1/…`; absent: none. */
  otlpEndpoint?: string;
  /** `key=value` with commas between, sent to the collector. */
  otlpHeaders?: string;
  /** Part of the traces begun here that are recorded, 0..1. */
  traceSampleRatio: number;
  logger: Logger;
}

export interface RunningTelemetry {
  /** `host:port` that Prometheus can really scrape. */
  readonly metricsAddress?: string;
  /** Sends what is left. */
  stop(): Promise<void>;
}

/**
 * Sets OpenTelemetry up for this process: where spans and metrics go. The rest of the code knows only its API.
 * @throws UnavailableError where the address for Prometheus can't be had
 */
export async function startTelemetry(options: TelemetryOptions): Promise<RunningTelemetry> {
  const { otlpEndpoint, metricsListen, logger } = options;
  if (otlpEndpoint === undefined && metricsListen === undefined) return { stop: async () => undefined };
  const told =
    (level: 'debug' | 'warn' | 'error') =>
    (message: string, ...details: unknown[]) =>
      logger[level]({ details: details.map(String) }, `telemetry: ${message}`);
  diag.setLogger(
    { verbose: told('debug'), debug: told('debug'), info: told('debug'), warn: told('warn'), error: told('error') },
    { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true },
  );
  const named = resourceFromAttributes({
    [ATTR_SERVICE_NAME]: `bbdistill-${options.service}`,
    [ATTR_SERVICE_INSTANCE_ID]: randomUUID(),
  });
  // OTEL_RESOURCE_ATTRIBUTES of the operator wins.
  const resource = named.merge(detectResources({ detectors: [envDetector] }));
  const headers = parseHeaders(options.otlpHeaders);

  const readers: IMetricReader[] = [];
  let prometheus: PrometheusExporter | undefined;
  if (metricsListen !== undefined) {
    prometheus = new PrometheusExporter({ preventServerStart: true });
    readers.push(prometheus);
  }
  if (otlpEndpoint !== undefined) {
    readers.push(
      new PeriodicExportingMetricReader({
        exporter: new OTLPMetricExporter({ url: `${otlpEndpoint}/v1/metrics`, headers }),
        exportIntervalMillis: METRIC_EXPORT_INTERVAL_MS,
        exportTimeoutMillis: SHUTDOWN_LIMIT_MS,
      }),
    );
  }
  const server = prometheus && metricsListen !== undefined ? await serveMetrics(prometheus, metricsListen) : undefined;
  const meters = new MeterProvider({ resource, readers });
  metrics.setGlobalMeterProvider(meters);
  const traces = new NodeTracerProvider({
    resource,
    sampler: new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(options.traceSampleRatio) }),
    spanProcessors:
      otlpEndpoint === undefined
        ? []
        : [
            new BatchSpanProcessor(new OTLPTraceExporter({ url: `${otlpEndpoint}/v1/traces`, headers }), {
              scheduledDelayMillis: TRACE_EXPORT_DELAY_MS,
            }),
          ],
  });
  traces.register();
  const stopWatching = observeProcess();
  return {
    ...(server && { metricsAddress: addressOf(server) }),
    async stop() {
      stopWatching();
      const flushed = Promise.allSettled([traces.shutdown(), meters.shutdown()]);
      const enough = new AbortController();
      await Promise.race([flushed, systemClock.sleep(SHUTDOWN_LIMIT_MS, enough.signal).catch(() => undefined)]);
      enough.abort();
      if (server) await new Promise((resolve) => server.close(resolve).closeAllConnections());
      trace.disable();
      metrics.disable();
      propagation.disable();
      context.disable();
      diag.disable();
    },
  };
}

function parseHeaders(text: string | undefined): Record<string, string> {
  const pairs = (text ?? '').split(',').filter((pair) => pair.includes('='));
  return Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=');
      return [pair.slice(0, at).trim(), decodeURIComponent(pair.slice(at + 1).trim())];
    }),
  );
}

/** Only GET /metrics; nothing of it is secret, but it is for the cluster's own eyes. */
async function serveMetrics(exporter: PrometheusExporter, address: string): Promise<Server> {
  const server = createServer((request, response) => {
    // Of whatever a stranger may send; parsing it as an address could throw.
    const [path] = (request.url ?? '').split('?');
    if (request.method === 'GET' && path === METRICS_PATH) exporter.getMetricsRequestHandler(request, response);
    else response.writeHead(404).end();
  });
  const at = address.lastIndexOf(':');
  const host = address.slice(0, at).replace(/^\[|\]$/g, '');
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(Number(address.slice(at + 1)), host, resolve);
    });
  } catch (cause) {
    throw new UnavailableError(`cannot serve metrics on ${address}: is another process there? Choose another port`, {
      code: 'ADDRESS_IN_USE',
      retryable: false,
      cause,
    });
  }
  return server;
}

function addressOf(server: Server): string {
  const { address, family, port } = server.address() as AddressInfo;
  return `${family === 'IPv6' ? `[${address}]` : address}:${port}`;
}

/** What the process itself takes, under the names that Prometheus' own clients use. */
function observeProcess(): () => void {
  const delay = monitorEventLoopDelay();
  delay.enable();
  const memory = meter().createObservableGauge('process_resident_memory_bytes', { description: 'memory in use' });
  const cpu = meter().createObservableCounter('process_cpu_seconds_total', { description: 'processor time used' });
  const lag = meter().createObservableGauge('nodejs_eventloop_delay_p99_seconds', {
    description: 'how late timers fire, 99th percentile since the last reading',
  });
  const callback: Parameters<ReturnType<typeof meter>['addBatchObservableCallback']>[0] = (result) => {
    const { user, system } = process.cpuUsage();
    result.observe(memory, process.memoryUsage.rss());
    result.observe(cpu, (user + system) / US_PER_SECOND);
    result.observe(lag, delay.percentile(99) / NS_PER_SECOND);
    delay.reset();
  };
  const observed = [memory, cpu, lag];
  const from = meter();
  from.addBatchObservableCallback(callback, observed);
  return () => {
    from.removeBatchObservableCallback(callback, observed);
    delay.disable();
  };
}
