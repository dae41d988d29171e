import { SpanStatusCode, isSpanContextValid, metrics, trace } from '@opentelemetry/api';
import type { Attributes, Meter, Span, Tracer } from '@opentelemetry/api';
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

/** Runs the work inside a span; an error is recorded with its code and passed on. */
export async function inSpan<T>(name: string, attributes: Attributes, work: (span: Span) => Promise<T>): Promise<T> {
  return tracer().startActiveSpan(name, { attributes }, async (span) => {
    try {
      return await work(span);
    } catch (thrown) {
      const error = asBbdError(thrown);
      span.setAttribute('bbd.code', error.code);
      span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      throw thrown;
    } finally {
      span.end();
    }
  });
}

/** Ids of the span that is active here, for log lines; empty where there is none. */
export function activeTraceIds(): { trace_id?: string; span_id?: string } {
  const context = trace.getActiveSpan()?.spanContext();
  return context && isSpanContextValid(context) ? { trace_id: context.traceId, span_id: context.spanId } : {};
}
