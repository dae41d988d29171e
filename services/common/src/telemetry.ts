import { SpanKind, SpanStatusCode, context, isSpanContextValid, metrics, propagation, trace } from '@opentelemetry/api';
import type {
  Attributes,
  Context,
  Counter,
  Gauge,
  Histogram,
  Link,
  Meter,
  MeterProvider,
  Span,
  Tracer,
  UpDownCounter,
} from '@opentelemetry/api';
import { systemClock } from './clock.js';
import { asBbdError } from './errors.js';

const SCOPE = 'bbdistill';

/** Spans of this system. They go nowhere until a process sets up an OpenTelemetry SDK. */
export function tracer(): Tracer {
  return trace.getTracer(SCOPE);
}

/** Metrics of this system. They go nowhere until a process sets up an OpenTelemetry SDK. */
export function meter(): Meter {
  return metrics.getMeter(SCOPE);
}

/** What carries a trace from one process to the next: gRPC metadata, the headers of a queued job, a run's record. */
export type TraceCarrier = Readonly<Record<string, string>>;

/** The trace that is active here, to be carried elsewhere; empty where there is none. */
export function traceCarrier(from: Context = context.active()): TraceCarrier {
  const carrier: Record<string, string> = {};
  propagation.inject(from, carrier);
  return carrier;
}

const KINDS = { internal: SpanKind.INTERNAL, server: SpanKind.SERVER, client: SpanKind.CLIENT };

export interface SpanOptions {
  attributes?: Attributes;
  /** `server` answers a call, `client` makes one. Default `internal`. */
  kind?: keyof typeof KINDS;
  /** Goes on with a trace that was carried here, instead of the one that is active. */
  parent?: TraceCarrier | undefined;
  /** Another trace that has to do with this work. */
  linked?: TraceCarrier | undefined;
}

/** Runs the work inside a span; an error is recorded with its code and passed on. */
export async function inSpan<T>(
  name: string,
  { attributes = {}, kind = 'internal', parent, linked }: SpanOptions,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const around = parent ? propagation.extract(context.active(), parent) : context.active();
  const options = { attributes, kind: KINDS[kind], links: linksTo(linked) };
  return tracer().startActiveSpan(name, options, around, async (span) => {
    try {
      return await work(span);
    } catch (thrown) {
      failSpan(span, thrown);
      throw thrown;
    } finally {
      span.end();
    }
  });
}

export function failSpan(span: Span, thrown: unknown): void {
  const error = asBbdError(thrown);
  span.setAttribute('bbdistill.code', error.code);
  span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
}

function linksTo(carrier: TraceCarrier | undefined): Link[] {
  const linked = carrier && trace.getSpanContext(propagation.extract(context.active(), carrier));
  return linked ? [{ context: linked }] : [];
}

/** Ids of the span that is active here, for log lines; empty where there is none. */
export function activeTraceIds(): { trace_id?: string; span_id?: string } {
  const spanContext = trace.getActiveSpan()?.spanContext();
  return spanContext && isSpanContextValid(spanContext)
    ? { trace_id: spanContext.traceId, span_id: spanContext.spanId }
    : {};
}

export interface InstrumentOptions {
  description: string;
  /** Upper bounds of a histogram's buckets, in its unit. */
  bounds?: number[];
}

/** A histogram that exists from its first use on. The unit is the end of its name. */
export function histogram(name: string, { description, bounds }: InstrumentOptions): () => Histogram {
  const advice = bounds ? { advice: { explicitBucketBoundaries: bounds } } : {};
  return ofEachProvider((from) => from.createHistogram(name, { description, ...advice }));
}

/** A counter that exists from its first use on. */
export function counter(name: string, options: InstrumentOptions): () => Counter {
  return ofEachProvider((from) => from.createCounter(name, options));
}

/** A number that goes up and down, from its first use on. */
export function upDownCounter(name: string, options: InstrumentOptions): () => UpDownCounter {
  return ofEachProvider((from) => from.createUpDownCounter(name, options));
}

/** A figure that is set, from its first use on. */
export function gauge(name: string, options: InstrumentOptions): () => Gauge {
  return ofEachProvider((from) => from.createGauge(name, options));
}

/** What an observed figure is now, by attributes; asked for when metrics are read. */
export type Observation = { value: number; attributes?: Attributes };

/** Whoever reads metrics waits for ten seconds at most, for all figures together. */
const LOOK_UP_LIMIT_MS = 2_000;

/**
 * A figure that is looked up when metrics are read. What can't be looked up, or not soon, is left out.
 * @returns stops the observing
 */
export function observe(
  name: string,
  options: InstrumentOptions,
  read: () => Iterable<Observation> | Promise<Iterable<Observation>>,
): () => void {
  const observed = meter().createObservableGauge(name, options);
  const callback: Parameters<typeof observed.addCallback>[0] = async (result) => {
    const enough = new AbortController();
    const found = await Promise.race([
      Promise.resolve().then(read),
      systemClock.sleep(LOOK_UP_LIMIT_MS, enough.signal).then((): Observation[] => []),
    ]).catch((): Observation[] => []);
    enough.abort();
    for (const { value, attributes = {} } of found) result.observe(value, attributes);
  };
  observed.addCallback(callback);
  return () => observed.removeCallback(callback);
}

/** Instruments belong to the provider they were made with; one made before an SDK starts would be deaf for ever. */
function ofEachProvider<T>(create: (from: Meter) => T): () => T {
  const made = new WeakMap<MeterProvider, { instrument: T }>();
  return () => {
    const provider = metrics.getMeterProvider();
    let found = made.get(provider);
    if (!found) {
      found = { instrument: create(meter()) };
      made.set(provider, found);
    }
    return found.instrument;
  };
}
