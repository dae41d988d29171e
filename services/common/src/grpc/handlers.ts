import type { EventEmitter } from 'node:events';
import { Metadata } from '@grpc/grpc-js';
import type * as grpc from '@grpc/grpc-js';
import { systemClock } from '../clock.js';
import { BbdError, CancelledError, UnavailableError, asBbdError } from '../errors.js';
import { inSpan } from '../telemetry.js';
import type { Caller } from './auth.js';
import { callerOf } from './gate.js';
import { serviceDefinition } from './proto.js';
import type { MethodName, RequestReadOf, ResponseOf, ServiceName, ShapeOf } from './services.js';
import { toGrpcStatus } from './status.js';
import { carrierOf } from './trace-metadata.js';
import { abandon, nextUnlessAborted, readMessages, writeMessage } from './streams.js';

const CANCEL_SHOWS_AFTER_MS = 20;

/** What a handler may know of its call. */
export interface CallContext {
  /** Aborts when the client cancels or is gone, at the deadline, and when the server stops. */
  readonly signal: AbortSignal;
  /** Milliseconds since the epoch; absent where the client set none. */
  readonly deadlineMs?: number;
  readonly peer: string;
  readonly caller: Caller;
  readonly metadata: grpc.Metadata;
}

interface HandlerOfShape<Request, Response> {
  unary: (request: Request, context: CallContext) => Promise<Response>;
  serverStream: (request: Request, context: CallContext) => AsyncIterable<Response>;
  clientStream: (requests: AsyncIterable<Request>, context: CallContext) => Promise<Response>;
  bidi: (requests: AsyncIterable<Request>, context: CallContext) => AsyncIterable<Response>;
}

/** One plain async function or generator per method of the service. What they throw becomes the call's status. */
export type ServiceHandlers<S extends ServiceName> = {
  [M in MethodName<S>]: HandlerOfShape<RequestReadOf<S, M>, ResponseOf<S, M>>[ShapeOf<S, M>];
};

/** Told of every call that failed. */
export type CallObserver = (method: string, error: BbdError) => void;

/** What a server lends the services that it offers. */
export interface ServerSurroundings {
  calls: OpenCalls;
  onFailure: CallObserver;
  /** How long a caller that is to send the next message may say nothing. */
  streamIdleTimeoutMs: number;
}

/** A service that `startGrpcServer` can offer. */
export interface ServiceImplementation {
  readonly name: ServiceName;
  readonly definition: grpc.ServiceDefinition;
  bind(server: ServerSurroundings): grpc.UntypedServiceImplementation;
}

/** Gives each method of the service its handler. */
export function implementService<S extends ServiceName>(name: S, handlers: ServiceHandlers<S>): ServiceImplementation {
  const definition = serviceDefinition(name);
  return {
    name,
    definition,
    bind({ calls, onFailure, streamIdleTimeoutMs }) {
      const byMethod = handlers as Record<string, (request: never, context: CallContext) => unknown>;
      const implementation: grpc.UntypedServiceImplementation = {};
      for (const [method, { path, requestStream, responseStream }] of Object.entries(definition)) {
        // Called as a method, so that handlers may be an object of a class.
        const handler = (request: never, context: CallContext) => byMethod[method]!.call(handlers, request, context);
        const bound = {
          handler: handler as never,
          path,
          calls,
          onFailure: (error: BbdError) => onFailure(path, error),
          streamIdleTimeoutMs,
        };
        if (responseStream) implementation[method] = requestStream ? bidi(bound) : serverStream(bound);
        else implementation[method] = requestStream ? clientStream(bound) : unary(bound);
      }
      return implementation;
    },
  };
}

/** The calls under way, so that a server that stops can wait for their handlers. */
export class OpenCalls {
  readonly #handlers = new Map<Promise<void>, AbortController>();

  track(handler: Promise<void>, stop: AbortController): void {
    const tracked = handler.finally(() => this.#handlers.delete(tracked));
    this.#handlers.set(tracked, stop);
  }

  /**
   * Ends the calls as unavailable, which a client may try elsewhere; cut off by the transport, they would look as if
   * the client itself had cancelled them.
   */
  cutOff(): void {
    for (const stop of this.#handlers.values()) stop.abort(new UnavailableError('the server stops: try again'));
  }

  async settled(): Promise<void> {
    await Promise.all(this.#handlers.keys());
  }
}

interface Bound<Shape extends keyof HandlerOfShape<0, 0>> {
  handler: HandlerOfShape<unknown, unknown>[Shape];
  path: string;
  calls: OpenCalls;
  onFailure: (error: BbdError) => void;
  streamIdleTimeoutMs: number;
}

type AnyCall = grpc.ServerUnaryCall<unknown, unknown> | grpc.ServerReadableStream<unknown, unknown>;
type AnyStreamCall = grpc.ServerWritableStream<unknown, unknown> | grpc.ServerDuplexStream<unknown, unknown>;

function unary({ handler, path, calls, onFailure }: Bound<'unary'>): grpc.handleUnaryCall<unknown, unknown> {
  return (call, respond) => {
    const stop = new AbortController();
    const context = contextOf(call, stop);
    calls.track(
      answer(path, () => handler(call.request, context), context, respond, onFailure),
      stop,
    );
  };
}

function clientStream(bound: Bound<'clientStream'>): grpc.handleClientStreamingCall<unknown, unknown> {
  const { handler, path, calls, onFailure, streamIdleTimeoutMs } = bound;
  return (call, respond) => {
    const stop = new AbortController();
    const context = contextOf(call, stop);
    const requests = () => requestsOf(call, context, streamIdleTimeoutMs);
    calls.track(
      answer(path, () => handler(requests(), context), context, respond, onFailure),
      stop,
    );
  };
}

function serverStream(bound: Bound<'serverStream'>): grpc.handleServerStreamingCall<unknown, unknown> {
  const { handler, path, calls, onFailure } = bound;
  return (call) => {
    const stop = new AbortController();
    const context = contextOf(call, stop);
    calls.track(
      stream(path, call, () => handler(call.request, context), context, onFailure),
      stop,
    );
  };
}

function bidi(bound: Bound<'bidi'>): grpc.handleBidiStreamingCall<unknown, unknown> {
  const { handler, path, calls, onFailure, streamIdleTimeoutMs } = bound;
  return (call) => {
    const stop = new AbortController();
    const context = contextOf(call, stop);
    const requests = () => requestsOf(call, context, streamIdleTimeoutMs);
    calls.track(
      stream(path, call, () => handler(requests(), context), context, onFailure),
      stop,
    );
  };
}

async function answer(
  path: string,
  handle: () => Promise<unknown>,
  context: CallContext,
  respond: grpc.sendUnaryData<unknown>,
  onFailure: (error: BbdError) => void,
): Promise<void> {
  try {
    respond(null, await inServerSpan(path, context, onFailure, handle));
  } catch (thrown) {
    respond(toGrpcStatus(serverStop(context) ?? thrown));
  }
}

async function stream(
  path: string,
  call: AnyStreamCall,
  handle: () => AsyncIterable<unknown>,
  context: CallContext,
  onFailure: (error: BbdError) => void,
): Promise<void> {
  try {
    const wasRead = await inServerSpan(path, context, onFailure, () => writeAll(call, handle(), context.signal));
    const stopped = wasRead ? undefined : serverStop(context);
    if (stopped) call.emit('error', toGrpcStatus(stopped));
    else call.end();
  } catch (thrown) {
    const stopped = serverStop(context);
    if (stopped) call.emit('error', toGrpcStatus(stopped));
    if (context.signal.aborted) return;
    call.emit('error', toGrpcStatus(thrown));
  }
}

/** @returns whether all responses were taken */
async function writeAll(call: AnyStreamCall, source: AsyncIterable<unknown>, signal: AbortSignal): Promise<boolean> {
  const responses = source[Symbol.asyncIterator]();
  for (;;) {
    const next = await nextUnlessAborted(responses, signal);
    if (next?.done) return true;
    if (!next || !(await writeMessage(call, next.value, signal))) {
      abandon(responses);
      return false;
    }
  }
}

/** The handler's part of the caller's trace; a failure is told inside it, so that its log line has the trace's id. */
function inServerSpan<T>(
  path: string,
  { metadata, caller, signal }: CallContext,
  onFailure: (error: BbdError) => void,
  work: () => Promise<T>,
): Promise<T> {
  const [, service = '', method = ''] = path.split('/');
  const attributes = {
    'rpc.system': 'grpc',
    'rpc.service': service,
    'rpc.method': method,
    'bbdistill.caller': caller.name,
  };
  return inSpan(path.slice(1), { kind: 'server', attributes, parent: carrierOf(metadata) }, async () => {
    try {
      return await work();
    } catch (thrown) {
      if (!signal.aborted) onFailure(asBbdError(thrown));
      throw thrown;
    }
  });
}

/** @throws BbdError `deadline-exceeded` where the caller says nothing for too long */
async function* requestsOf<T>(
  call: grpc.ServerReadableStream<T, unknown>,
  context: CallContext,
  idleTimeoutMs: number,
): AsyncIterable<T> {
  const messages = readMessages<T>(call);
  const idle = new AbortController();
  const stopped = AbortSignal.any([context.signal, idle.signal]);
  try {
    for (;;) {
      const timer = setTimeout(() => idle.abort(), idleTimeoutMs);
      const next = await nextUnlessAborted(messages, stopped).finally(() => clearTimeout(timer));
      if (next && !next.done) {
        yield next.value;
        continue;
      }
      if (next) await letCancelShow(call);
      if (context.signal.aborted) throw asBbdError(context.signal.reason);
      if (idle.signal.aborted) throw streamIdle(idleTimeoutMs);
      return;
    }
  } finally {
    abandon(messages);
  }
}

function streamIdle(idleTimeoutMs: number): BbdError {
  const message = `the next message of the stream did not come within ${idleTimeoutMs} ms`;
  return new BbdError('deadline-exceeded', message, { code: 'STREAM_IDLE' });
}

/**
 * A client of Node that cancels ends its stream first and resets it a moment later: an upload that was cut off would
 * be taken for a whole one. So the end is believed only after that moment. Sending the headers is the public call that
 * makes grpc-js look at the stream's real state.
 */
async function letCancelShow(call: grpc.ServerReadableStream<unknown, unknown>): Promise<void> {
  await systemClock.sleep(CANCEL_SHOWS_AFTER_MS);
  // The timer may fire before what has come over the network is read.
  await new Promise((resolve) => setImmediate(resolve));
  call.sendMetadata(new Metadata());
  await new Promise((resolve) => setImmediate(resolve));
}

/** Why the server ended the call, if it did. */
function serverStop({ signal }: CallContext): UnavailableError | undefined {
  return signal.reason instanceof UnavailableError ? signal.reason : undefined;
}

function contextOf(call: AnyCall | AnyStreamCall, stop: AbortController): CallContext {
  (call as EventEmitter).once('cancelled', () => stop.abort(new CancelledError('the client ended the call')));
  const deadline = call.getDeadline();
  const deadlineMs = deadline instanceof Date ? deadline.getTime() : deadline;
  return {
    signal: stop.signal,
    peer: call.getPeer(),
    caller: callerOf(call.metadata),
    metadata: call.metadata,
    ...(Number.isFinite(deadlineMs) && { deadlineMs }),
  };
}
