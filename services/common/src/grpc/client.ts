import * as grpc from '@grpc/grpc-js';
import { systemClock } from '../clock.js';
import { CancelledError, UnavailableError } from '../errors.js';
import { serviceDefinition } from './proto.js';
import { DEFAULT_MAX_MESSAGE_BYTES } from './server.js';
import type { MethodsOfShape, RequestOf, ResponseReadOf, ServiceName } from './services.js';
import { fromGrpcError } from './status.js';
import { abandon, nextUnlessAborted, readMessages, writeMessage } from './streams.js';

/** Deadline of unary calls that set none. Streams have none: they last as long as there is something to say. */
export const DEFAULT_CALL_TIMEOUT_MS = 30_000;
export const CLIENT_KEEPALIVE_TIME_MS = 30_000;
export const CLIENT_KEEPALIVE_TIMEOUT_MS = 10_000;

export interface ConnectOptions {
  /** Bearer token, sent with each call. */
  token?: string;
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

/** A client of one service; connects with the first call. */
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

  constructor(
    service: S,
    private readonly address: string,
    options: ConnectOptions,
  ) {
    this.#methods = serviceDefinition(service);
    this.#defaultTimeoutMs = options.defaultTimeoutMs ?? DEFAULT_CALL_TIMEOUT_MS;
    this.#token = options.token;
    this.#client = new grpc.Client(address, grpc.credentials.createInsecure(), {
      // Proxy variables are meant for the way out, not for the way to the next pod.
      'grpc.enable_http_proxy': 0,
      'grpc.max_receive_message_length': options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
      'grpc.keepalive_time_ms': CLIENT_KEEPALIVE_TIME_MS,
      'grpc.keepalive_timeout_ms': CLIENT_KEEPALIVE_TIMEOUT_MS,
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
    let release = (): void => undefined;
    try {
      return await new Promise<ResponseReadOf<S, M>>((resolve, reject) => {
        const call = this.#client.makeUnaryRequest(
          path,
          requestSerialize,
          responseDeserialize,
          request,
          this.#metadata(options),
          limits,
          (error, response) => (error ? reject(error) : resolve(response as ResponseReadOf<S, M>)),
        );
        release = cancelOnAbort(call, options.signal);
      });
    } catch (thrown) {
      throw fromGrpcError(thrown);
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
    const call = this.#client.makeServerStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      request,
      this.#metadata(options),
      this.#limits(options),
    );
    yield* responsesOf<ResponseReadOf<S, M>>(call, options.signal);
  }

  async clientStream<M extends MethodsOfShape<S, 'clientStream'>>(
    name: M,
    requests: AsyncIterable<RequestOf<S, M>>,
    options: CallOptions = {},
  ): Promise<ResponseReadOf<S, M>> {
    throwIfAborted(options.signal);
    const { path, requestSerialize, responseDeserialize } = this.#method(name);
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
          this.#metadata(options),
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
      throw sourceError ? sourceError.thrown : fromGrpcError(thrown);
    } finally {
      ended.abort();
      release();
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
    const call = this.#client.makeBidiStreamRequest(
      path,
      requestSerialize,
      responseDeserialize,
      this.#metadata(options),
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
      throw sourceError ? sourceError.thrown : thrown;
    } finally {
      ended.abort();
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
  }

  #method(name: string): Method {
    return this.#methods[name]!;
  }

  #metadata(options: CallOptions): grpc.Metadata {
    const metadata = new grpc.Metadata();
    for (const [key, value] of Object.entries(options.metadata ?? {})) metadata.set(key, value);
    if (this.#token !== undefined) metadata.set('authorization', `Bearer ${this.#token}`);
    return metadata;
  }

  #limits(options: CallOptions): grpc.CallOptions {
    return options.timeoutMs === undefined ? {} : { deadline: deadlineIn(options.timeoutMs) };
  }
}

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
