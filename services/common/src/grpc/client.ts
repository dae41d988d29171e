import * as grpc from '@grpc/grpc-js';
import { SpanKind, context, trace } from '@opentelemetry/api';
import type { Context } from '@opentelemetry/api';
import { systemClock } from '../clock.js';
import { CancelledError, UnavailableError, asBbdError } from '../errors.js';
import { silentLogger } from '../logger.js';
import { failSpan, traceCarrier, tracer } from '../telemetry.js';
import { callMetrics } from './call-metrics.js';
import { CLIENT_KEEPALIVE_TIMEOUT_MS, CLIENT_KEEPALIVE_TIME_MS, DEFAULT_MAX_MESSAGE_BYTES } from './limits.js';
import { serviceDefinition } from './proto.js';
import type { MethodsOfShape, RequestOf, ResponseReadOf, ServiceName } from './services.js';
import { fromGrpcError, toGrpcStatus } from './status.js';
import { abandon, nextUnlessAborted, readMessages, writeMessage } from './streams.js';
import { clientTls } from './tls.js';
import type { ClientTlsFiles, OpenedCredentials } from './tls.js';
import { carryTrace } from './trace-metadata.js';

/** Deadline of unary calls that set none. Streams have none: they last as long as there is something to say. */
export const DEFAULT_CALL_TIMEOUT_MS = 30_000;

export interface ConnectOptions {
  /** Bearer token, sent with each call. */
  token?: string;
  /** Absent: plain text. */
  tls?: ClientTlsFiles;
  /** How often renewed TLS files are looked for. */
  reloadIntervalMs?: number;
  /** Default {@link DEFAULT_CALL_TIMEOUT_MS}. */
  defaultTimeoutMs?: number;
  /** Largest response. Default {@link DEFAULT_MAX_MESSAGE_BYTES}. */
  maxMessageBytes?: number;
}

export interface CallOptions {
  timeoutMs?: number;
  signal?: AbortSignal;
  /** Sent with this call, e.g. the secret of a server that isn't ours. Keys in lower case. */
  metadata?: Readonly<Record<string, string>>;
}

/**
 * A service at the other end. Every failure is a BbdError of the kind and code that the server threw; `unavailable`
 * where nobody answers.
 */
export interface ServiceClient<S extends ServiceName> {
  unary<M extends MethodsOfShape<S, 'unary'>>(
    method: M,
    request: RequestOf<S, M>,
    options?: CallOptions,
  ): Promise<ResponseReadOf<S, M>>;
  /** The call starts when reading starts; leaving the loop cancels it. */
  serverStream<M extends MethodsOfShape<S, 'serverStream'>>(
    method: M,
    request: RequestOf<S, M>,
    options?: CallOptions,
  ): AsyncIterable<ResponseReadOf<S, M>>;
  clientStream<M extends MethodsOfShape<S, 'clientStream'>>(
    method: M,
    requests: AsyncIterable<RequestOf<S, M>>,
    options?: CallOptions,
  ): Promise<ResponseReadOf<S, M>>;
  /** The call starts when reading starts; leaving the loop cancels it and stops the requests. */
  bidi<M extends MethodsOfShape<S, 'bidi'>>(
    method: M,
    requests: AsyncIterable<RequestOf<S, M>>,
    options?: CallOptions,
  ): AsyncIterable<ResponseReadOf<S, M>>;
  /** @throws UnavailableError where no connection stands in time */
  ready(timeoutMs: number): Promise<void>;
  close(): void;
}

/**
 * A client of one service; connects with the first call. Calls are spread over all addresses that a name stands for:
 * `dns:///name:port` of a headless service finds every replica.
 * @throws ConfigError where a TLS file can't be read or used
 */
export function connect<S extends ServiceName>(
  service: S,
  address: string,
  options: ConnectOptions = {},
): ServiceClient<S> {
  return new Connection(service, address, options);
}

type Method = grpc.MethodDefinition<unknown, unknown>;

class Connection<S extends ServiceName> implements ServiceClient<S> {
  readonly #client: grpc.Client;
  readonly #methods: Record<string, Method>;
  readonly #defaultTimeoutMs: number;
  readonly #token: string | undefined;
  readonly #secured: OpenedCredentials<grpc.ChannelCredentials> | undefined;

  constructor(
    service: S,
    private readonly address: string,
    options: ConnectOptions,
  ) {
    this.#methods = serviceDefinition(service);
    this.#defaultTimeoutMs = options.defaultTimeoutMs ?? DEFAULT_CALL_TIMEOUT_MS;
    this.#token = options.token;
    // Renewed files show at the next connection; there is nobody here to tell of bad ones.
    const { tls, reloadIntervalMs } = options;
    const reload = reloadIntervalMs === undefined ? {} : { reloadIntervalMs };
    this.#secured = tls && clientTls(tls, { clock: systemClock, logger: silentLogger, ...reload });
    this.#client = new grpc.Client(address, this.#secured?.credentials ?? grpc.credentials.createInsecure(), {
      // Proxy variables are meant for the way out, not for the way to the next pod.
      'grpc.enable_http_proxy': 0,
      'grpc.max_receive_message_length': options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
      'grpc.keepalive_time_ms': CLIENT_KEEPALIVE_TIME_MS,
      'grpc.keepalive_timeout_ms': CLIENT_KEEPALIVE_TIMEOUT_MS,
      ...(options.tls?.serverName !== undefined && { 'grpc.ssl_target_name_override': options.tls.serverName }),
      'grpc.service_config': JSON.stringify({ loadBalancingConfig: [{ round_robin: {} }] }),
    });
  }

  async unary<M extends MethodsOfShape<S, 'unary'>>(
    name: M,
    request: RequestOf<S, M>,
    options: CallOptions = {},
  ): Promise<ResponseReadOf<S, M>> {
    throwIfAborted(options.signal);
    const { path, requestSerialize, responseDeserialize } = this.#method(name);
    const limits = this.#limits({ timeoutMs: this.#defaultTimeoutMs, ...options });
    const span = new CallSpan(path);
    let release = (): void => undefined;
    try {
      const response = await new Promise<ResponseReadOf<S, M>>((resolve, reject) => {
        const call = this.#client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          this.#metadata(options, span.context),
          limits,
          (error, response) => (error ? reject(error) : resolve(response as ResponseReadOf<S, M>)),
        );
        release = cancelOnAbort(call, options.signal);
      });
      span.end();
      return response;
    } catch (thrown) {
      throw span.failed(fromGrpcError(thrown));
    } finally {
      release();
    }
  }

  async *serverStream<M extends MethodsOfShape<S, 'serverStream'>>(
    name: M,
    request: RequestOf<S, M>,
    options: CallOptions = {},
  ): AsyncIterable<ResponseReadOf<S, M>> {
    throwIfAborted(options.signal);
    const { path, requestSerialize, responseDeserialize } = this.#method(name);
    const span = new CallSpan(path);
    try {
      const call = this.#client.makeServerStreamRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        this.#metadata(options, span.context),
        this.#limits(options),
      );
      yield* responsesOf<ResponseReadOf<S, M>>(call, options.signal);
    } catch (thrown) {
      throw span.failed(thrown);
    } finally {
      span.end();
    }
  }

  async clientStream<M extends MethodsOfShape<S, 'clientStream'>>(
    name: M,
    requests: AsyncIterable<RequestOf<S, M>>,
    options: CallOptions = {},
  ): Promise<ResponseReadOf<S, M>> {
    throwIfAborted(options.signal);
    const { path, requestSerialize, responseDeserialize } = this.#method(name);
    const span = new CallSpan(path);
    const ended = new AbortController();
    let release = (): void => undefined;
    let pump: Promise<void> | undefined;
    let sourceError: { thrown: unknown } | undefined;
    try {
      return await new Promise<ResponseReadOf<S, M>>((resolve, reject) => {
        const call = this.#client.makeClientStreamRequest(
          path,
          requestSerialize,
          responseDeserialize,
          this.#metadata(options, span.context),
          this.#limits(options),
          (error, response) => (error ? reject(error) : resolve(response as ResponseReadOf<S, M>)),
        );
        release = cancelOnAbort(call, options.signal);
        pump = sendAll(call, requests, ended.signal).catch((thrown: unknown) => {
          sourceError = { thrown };
          call.cancel();
        });
      });
    } catch (thrown) {
      throw span.failed(sourceError ? sourceError.thrown : fromGrpcError(thrown));
    } finally {
      ended.abort();
      release();
      span.end();
      await pump;
    }
  }

  async *bidi<M extends MethodsOfShape<S, 'bidi'>>(
    name: M,
    requests: AsyncIterable<RequestOf<S, M>>,
    options: CallOptions = {},
  ): AsyncIterable<ResponseReadOf<S, M>> {
    throwIfAborted(options.signal);
    const { path, requestSerialize, responseDeserialize } = this.#method(name);
    const span = new CallSpan(path);
    const call = this.#client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      this.#metadata(options, span.context),
      this.#limits(options),
    );
    const ended = new AbortController();
    let sourceError: { thrown: unknown } | undefined;
    const pump = sendAll(call, requests, ended.signal).catch((thrown: unknown) => {
      sourceError = { thrown };
      call.cancel();
    });
    try {
      yield* responsesOf<ResponseReadOf<S, M>>(call, options.signal);
    } catch (thrown) {
      throw span.failed(sourceError ? sourceError.thrown : thrown);
    } finally {
      ended.abort();
      span.end();
      await pump;
    }
  }

  async ready(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#client.waitForReady(deadlineIn(timeoutMs), (cause) => {
        if (!cause) resolve();
        else reject(new UnavailableError(`nobody answers at ${this.address}: is the service up?`, { cause }));
      });
    });
  }

  close(): void {
    this.#client.close();
    void this.#secured?.close();
  }

  #method(name: string): Method {
    return this.#methods[name]!;
  }

  #metadata(options: CallOptions, spanContext: Context): grpc.Metadata {
    const metadata = new grpc.Metadata();
    carryTrace(metadata, traceCarrier(spanContext));
    for (const [key, value] of Object.entries(options.metadata ?? {})) metadata.set(key, value);
    if (this.#token !== undefined) metadata.set('authorization', `Bearer ${this.#token}`);
    return metadata;
  }

  #limits(options: CallOptions): grpc.CallOptions {
    return options.timeoutMs === undefined ? {} : { deadline: deadlineIn(options.timeoutMs) };
  }
}

/** The client's side of a call, as a span and in the metrics; ends once. */
class CallSpan {
  readonly context: Context;
  readonly #startedMs = systemClock.monotonicMs();
  #ended = false;

  constructor(private readonly path: string) {
    const [, service = '', method = ''] = path.split('/');
    const attributes = { 'rpc.system': 'grpc', 'rpc.service': service, 'rpc.method': method };
    const span = tracer().startSpan(path.slice(1), { kind: SpanKind.CLIENT, attributes });
    this.context = trace.setSpan(context.active(), span);
  }

  /** @returns the error, to be thrown on */
  failed(thrown: unknown): unknown {
    if (!this.#ended) failSpan(trace.getSpan(this.context)!, thrown);
    this.end(toGrpcStatus(asBbdError(thrown)).code);
    return thrown;
  }

  end(code: grpc.status = grpc.status.OK): void {
    if (this.#ended) return;
    this.#ended = true;
    trace.getSpan(this.context)?.end();
    recordCall(this.path, code, systemClock.monotonicMs() - this.#startedMs);
  }
}

const recordCall = callMetrics('client');

async function* responsesOf<T>(
  call: grpc.ClientReadableStream<unknown> | grpc.ClientDuplexStream<unknown, unknown>,
  signal: AbortSignal | undefined,
): AsyncGenerator<T, void, undefined> {
  // Kept from the start: an error that comes while nobody reads would end the process.
  let failure: { thrown: unknown } | undefined;
  call.on('error', (thrown) => (failure ??= { thrown }));
  const release = cancelOnAbort(call, signal);
  try {
    yield* readMessages<T>(call);
    if (failure) throw failure.thrown;
  } catch (thrown) {
    throw fromGrpcError(failure ? failure.thrown : thrown);
  } finally {
    release();
    call.cancel();
  }
}

/** Sends until the source or the call ends; then the source is left. */
async function sendAll(
  call: grpc.ClientWritableStream<unknown> | grpc.ClientDuplexStream<unknown, unknown>,
  requests: AsyncIterable<unknown>,
  ended: AbortSignal,
): Promise<void> {
  const source = requests[Symbol.asyncIterator]();
  for (;;) {
    const next = await nextUnlessAborted(source, ended);
    if (next?.done) break;
    if (!next || !(await writeMessage(call, next.value, ended))) {
      abandon(source);
      return;
    }
  }
  call.end();
}

function cancelOnAbort(call: { cancel(): void }, signal: AbortSignal | undefined): () => void {
  const onAbort = () => call.cancel();
  signal?.addEventListener('abort', onAbort, { once: true });
  return () => signal?.removeEventListener('abort', onAbort);
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new CancelledError('cancelled before the call was made');
}

function deadlineIn(timeoutMs: number): number {
  return systemClock.nowMs() + timeoutMs;
}
