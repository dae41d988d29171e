import { once } from 'node:events';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import {
  BBDISTILL_VERSION,
  ConfigError,
  InvalidArgumentError,
  NotFoundError,
  UnavailableError,
  asBbdError,
  bearerToken,
  isLoopback,
  silentLogger,
  systemClock,
} from '@bbdistill/common';
import type { BbdError, Clock, ErrorKind, Logger, TokenVerifier } from '@bbdistill/common';
import { BINARY_HEADER, parseInferRequest, rawFloats } from './binary-tensors.js';
import type { HttpInferRequest } from './binary-tensors.js';
import type { OpenInferenceModel } from './open-inference-model.js';

export const DEFAULT_HOST = '127.0.0.1';
export const DEFAULT_MAX_BODY_BYTES = 32 * 1024 * 1024;
/** A body that is too long is read and dropped up to this many times the limit, so that the client sees the answer. */
const DRAIN_FACTOR = 4;
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 60_000;
const MAX_CONNECTIONS = 256;
/** How long requests under way may take to end when the server stops. */
export const CLOSE_GRACE_MS = 3_000;
const SERVER_NAME = 'bbdistill';
const EXTENSIONS = ['binary_tensor_data', 'statistics'];

export interface OpenInferenceServerOptions {
  model: OpenInferenceModel;
  /** Default {@link DEFAULT_HOST}. Beyond loopback only with a token. */
  host?: string;
  /** 0, the default, takes any free port. */
  port?: number;
  /** Bearer token that every request but the health checks must carry. */
  token?: string;
  /** Default {@link DEFAULT_MAX_BODY_BYTES}. */
  maxBodyBytes?: number;
  logger?: Logger;
  clock?: Clock;
}

export interface RunningOpenInferenceServer {
  /** `http://host:port` */
  readonly url: string;
  /** Lets the requests under way end, within {@link CLOSE_GRACE_MS}, then cuts the connections. */
  close(): Promise<void>;
}

/**
 * Serves a classifier over the Open Inference Protocol v2 (HTTP), JSON and binary tensors. Every failure is an answer
 * `{"error": …}`: 400 bad request, 401 no token, 404 no such model, 405, 413, 415, 429 with Retry-After.
 * @throws ConfigError beyond loopback without a token
 * @throws UnavailableError where the address can't be had
 */
export async function startOpenInferenceServer(
  options: OpenInferenceServerOptions,
): Promise<RunningOpenInferenceServer> {
  const { model, host = DEFAULT_HOST, port = 0, token, logger = silentLogger, clock = systemClock } = options;
  const hostInUrl = host.includes(':') ? `[${host}]` : host;
  if (!isLoopback(`${hostInUrl}:${port}`) && !token) {
    throw new ConfigError(
      `refusing to listen on ${host}, beyond this machine, without a token: set one, or listen on ${DEFAULT_HOST}`,
      { code: 'INSECURE_LISTEN' },
    );
  }
  const context: Context = {
    model,
    verify: token ? bearerToken(token) : undefined,
    maxBodyBytes: options.maxBodyBytes ?? DEFAULT_MAX_BODY_BYTES,
    logger,
  };
  const server = createServer((request, response) => void handle(request, response, context, () => server.listening));
  server.headersTimeout = HEADERS_TIMEOUT_MS;
  server.requestTimeout = REQUEST_TIMEOUT_MS;
  server.maxConnections = MAX_CONNECTIONS;
  server.on('clientError', refuseUnreadable);
  await listen(server, host, port);
  const url = `http://${hostInUrl}:${(server.address() as AddressInfo).port}`;
  logger.info({ url, model: model.classifier.name }, 'listening');
  return {
    url,
    async close() {
      const closed = once(server, 'close');
      server.close();
      server.closeIdleConnections();
      const patience = new AbortController();
      const cut = clock.sleep(CLOSE_GRACE_MS, patience.signal).then(
        () => server.closeAllConnections(),
        () => undefined,
      );
      await closed;
      patience.abort();
      await cut;
    },
  };
}

interface Context {
  model: OpenInferenceModel;
  verify: TokenVerifier | undefined;
  maxBodyBytes: number;
  logger: Logger;
}

interface Reply {
  status: number;
  headers: Record<string, string>;
  body: Uint8Array;
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  context: Context,
  isListening: () => boolean,
): Promise<void> {
  let reply: Reply;
  try {
    reply = await answer(request, context);
  } catch (thrown) {
    reply = failure(thrown, context.logger);
  }
  if (response.destroyed) return;
  // Bytes that nobody read would be taken for the next request; and a server that stops wants no next one.
  if (!request.complete || !isListening()) reply.headers['connection'] = 'close';
  response.writeHead(reply.status, { ...reply.headers, 'content-length': String(reply.body.length) });
  response.end(request.method === 'HEAD' ? undefined : reply.body);
}

async function answer(request: IncomingMessage, context: Context): Promise<Reply> {
  const { model } = context;
  const [root, ...path] = pathOf(request);
  if (root !== 'v2') throw noSuchPath(request);
  const [area, ...rest] = path;
  if (area === 'health' && rest.length === 1) {
    allow(request, 'GET');
    if (rest[0] === 'live') return json({ live: true });
    if (rest[0] === 'ready') return json({ ready: true });
  }
  await context.verify?.(bearerOf(request), request.url ?? '');
  if (area === undefined) {
    allow(request, 'GET');
    return json({ name: SERVER_NAME, version: BBDISTILL_VERSION, extensions: EXTENSIONS });
  }
  const [name, ...afterName] = rest;
  if (area !== 'models' || name === undefined) throw noSuchPath(request);
  const versioned = afterName[0] === 'versions' && afterName[1] !== undefined;
  const verb = versioned ? afterName.slice(2) : afterName;
  if (verb.length > 1) throw noSuchPath(request);
  model.mustBe(name, versioned ? afterName[1]! : '');
  switch (verb[0]) {
    case undefined:
      allow(request, 'GET');
      return json(metadataOf(model));
    case 'ready':
      allow(request, 'GET');
      return json({ name, ready: true });
    case 'stats':
      allow(request, 'GET');
      return json({ model_stats: [statsOf(model)] });
    case 'infer':
      allow(request, 'POST');
      return infer(request, context);
    default:
      throw noSuchPath(request);
  }
}

async function infer(request: IncomingMessage, { model, maxBodyBytes }: Context): Promise<Reply> {
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') {
    throw new HttpError(415, `content-encoding "${encoding}" is not supported: send the body as it is`);
  }
  const body = await readBody(request, maxBodyBytes);
  const headerLength = request.headers[BINARY_HEADER];
  const asked = parseInferRequest(body, Array.isArray(headerLength) ? headerLength.join() : headerLength);
  const { count, values } = await model.infer(asked.inputs, asked.outputs);
  return inferReply(model, asked, count, values);
}

function inferReply(model: OpenInferenceModel, asked: HttpInferRequest, count: number, values: Float32Array): Reply {
  const { name, version, output } = model.classifier;
  const raw = asked.binaryOutput ? rawFloats(values) : undefined;
  const tensor = {
    name: output.name,
    datatype: 'FP32',
    shape: [count, output.classes],
    ...(raw ? { parameters: { binary_data_size: raw.length } } : { data: Array.from(values) }),
  };
  const head = json({
    model_name: name,
    model_version: version,
    ...(asked.id !== undefined && { id: asked.id }),
    outputs: [tensor],
  });
  if (!raw) return head;
  return {
    status: 200,
    headers: { 'content-type': 'application/octet-stream', [BINARY_HEADER]: String(head.body.length) },
    body: Buffer.concat([head.body, raw]),
  };
}

function metadataOf(model: OpenInferenceModel): unknown {
  const { name, version, platform, input, output } = model.classifier;
  return {
    name,
    versions: [version],
    platform,
    inputs: [{ name: input.name, datatype: input.datatype, shape: [-1, ...input.dims] }],
    outputs: [{ name: output.name, datatype: 'FP32', shape: [-1, output.classes] }],
  };
}

/** In the words of the protocol's statistics extension. */
function statsOf(model: OpenInferenceModel): unknown {
  const { name, version, inferenceCount, executionCount, failureCount } = model.stats;
  return {
    name,
    version,
    inference_count: inferenceCount,
    execution_count: executionCount,
    failure_count: failureCount,
  };
}

async function readBody(request: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  const tooLong = new HttpError(413, `the body is longer than ${maxBytes} bytes: send fewer images at a time`);
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > maxBytes * DRAIN_FACTOR) throw tooLong;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBytes * DRAIN_FACTOR) throw tooLong;
    if (length > maxBytes) chunks.length = 0;
    else chunks.push(chunk);
  }
  if (length > maxBytes) throw tooLong;
  return Buffer.concat(chunks);
}

/** A failure that has a status of its own. */
class HttpError extends InvalidArgumentError {
  constructor(
    readonly status: number,
    message: string,
    readonly headers: Record<string, string> = {},
  ) {
    super(message, { code: `HTTP_${status}` });
  }
}

const STATUS_OF_KIND: Partial<Record<ErrorKind, number>> = {
  'invalid-argument': 400,
  unauthenticated: 401,
  'not-found': 404,
  'resource-exhausted': 429,
  unavailable: 503,
};

function failure(thrown: unknown, logger: Logger): Reply {
  const error = asBbdError(thrown);
  const status = error instanceof HttpError ? error.status : (STATUS_OF_KIND[error.kind] ?? 500);
  if (status >= 500) logger.error({ err: error }, 'a request failed unexpectedly');
  return json({ error: error.message }, status, headersOf(error));
}

function headersOf(error: BbdError): Record<string, string> {
  if (error instanceof HttpError) return error.headers;
  if (error.kind === 'unauthenticated') return { 'www-authenticate': 'Bearer' };
  if (error.retryAfterMs === undefined) return {};
  return { 'retry-after': String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))) };
}

function json(value: unknown, status = 200, headers: Record<string, string> = {}): Reply {
  return {
    status,
    headers: { 'content-type': 'application/json', ...headers },
    body: Buffer.from(JSON.stringify(value)),
  };
}

function allow(request: IncomingMessage, method: 'GET' | 'POST'): void {
  if (request.method === method || (method === 'GET' && request.method === 'HEAD')) return;
  throw new HttpError(405, `${request.method} is not allowed here: use ${method}`, { allow: method });
}

function noSuchPath(request: IncomingMessage): NotFoundError {
  return new NotFoundError(`there is nothing at ${request.url?.slice(0, 200)}: start at /v2`);
}

function pathOf(request: IncomingMessage): string[] {
  const path = (request.url ?? '').split('?')[0]!;
  try {
    return path.split('/').filter(Boolean).map(decodeURIComponent);
  } catch (cause) {
    throw new InvalidArgumentError(`the path ${path.slice(0, 200)} is not well encoded`, { cause });
  }
}

function bearerOf(request: IncomingMessage): string | undefined {
  return /^Bearer (.+)$/i.exec(request.headers.authorization ?? '')?.[1];
}

/** What isn't HTTP gets an answer as well, as far as the connection allows one. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, reason] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'the headers are too long']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'the request took too long']
        : ['400 Bad Request', 'this is not an HTTP request'];
  const body = JSON.stringify({ error: reason });
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n${body}`,
  );
}

async function listen(server: Server, host: string, port: number): Promise<void> {
  try {
    server.listen(port, host);
    await once(server, 'listening');
  } catch (cause) {
    throw new UnavailableError(
      `cannot listen on ${host}:${port} (${asBbdError(cause).message}): is another process there? Choose another port`,
      { code: 'ADDRESS_IN_USE', retryable: false, cause },
    );
  }
}
