import { fetch as fetchBy } from 'undici';
import type { Agent } from 'undici';
import { shownText } from '../shown-text.js';
import { TEACHER_TLS } from '../teacher.js';
import type { QueryOutcome } from '../teacher.js';
import type { HeaderSource } from './limit-headers.js';
import { tlsAdvice } from './teacher-tls.js';

export interface HttpRequest {
  method: string;
  url: string;
  headers: Record<string, string>;
  body?: Uint8Array;
  /** Ends the exchange, however slowly bytes still come. */
  signal: AbortSignal;
  /** More is no answer. */
  maxReplyBytes: number;
  /** Where the connections have certificates of their own. */
  agent?: Agent | undefined;
}

/** A whole HTTP answer. */
export class HttpReply {
  constructor(
    readonly status: number,
    readonly headers: HeaderSource,
    readonly body: Uint8Array,
  ) {}

  text(): string {
    return new TextDecoder().decode(this.body);
  }

  /**
   * @param byteLength of the JSON, where other bytes follow
   * @throws SyntaxError
   */
  json(byteLength = this.body.length): unknown {
    const text = new TextDecoder().decode(this.body.subarray(0, byteLength));
    try {
      return JSON.parse(text);
    } catch {
      return parseMended(text);
    }
  }
}

/** Some servers write NaN and Infinity, which JSON doesn't have: as null they spoil only their own image. */
function parseMended(text: string): unknown {
  let isCut: boolean;
  try {
    return JSON.parse(text.replace(/(?<=[[,:\s])-?(?:NaN|Infinity)(?=[\],}\s])/g, 'null'));
  } catch (error) {
    isCut = /unexpected end|unterminated/i.test(String(error));
  }
  // Without the platform's own message, which holds a piece of the text, cut as it likes.
  throw new SyntaxError(`${isCut ? 'its JSON breaks off' : 'it is no JSON'}: ${shownText(text)}`);
}

export type Unanswered = Exclude<QueryOutcome, { kind: 'answered' }>;

/**
 * One HTTP exchange. Follows no redirect: it would send the secret elsewhere and could pay twice.
 * @returns the whole answer, or `unreachable` where no connection stood, or `lost` where it broke afterwards
 */
export async function exchange(request: HttpRequest): Promise<HttpReply | Unanswered> {
  const { url, signal, maxReplyBytes, agent, ...rest } = request;
  let answering = false;
  try {
    const response = await send(url, { ...rest, signal, redirect: 'manual' }, agent);
    answering = true;
    return new HttpReply(response.status, response.headers, await readBounded(response, maxReplyBytes));
  } catch (cause) {
    const reason = reasonOf(cause);
    if (!answering && isTlsFailure(cause)) {
      const code = codeOf(cause) ?? '';
      const message = `no secure connection to ${new URL(url).origin}: ${reason}; ${tlsAdvice(`${code} ${reason}`)} (nothing was charged)`;
      return { kind: 'refused', code: TEACHER_TLS, message, sent: false };
    }
    if (!answering && isBeforeSending(cause)) {
      return { kind: 'unreachable', message: `no connection to ${new URL(url).origin}: ${reason}`, cause };
    }
    const what = signal.aborted ? 'gave no answer in time' : `broke off (${reason})`;
    // Under TLS 1.3 a server may turn a caller's certificate down only after the caller has begun to speak.
    const isMute = !answering && url.startsWith('https:') && /other side closed/.test(reason);
    const hint = isMute ? ' (so does a server that wants a certificate from its callers: see tls.certFile)' : '';
    return { kind: 'lost', message: `${new URL(url).origin} ${what}${hint}; it may have been charged`, cause };
  }
}

/** Node's own client, or the one that takes connections from outside: the same code in another version. */
function send(url: string, init: SentRequest, agent: Agent | undefined): Promise<Answer> {
  return agent ? fetchBy(url, { ...init, dispatcher: agent }) : fetch(url, init);
}

type SentRequest = Pick<HttpRequest, 'method' | 'headers' | 'body' | 'signal'> & { redirect: 'manual' };

type Answer = { status: number; headers: HeaderSource; body: AsyncIterable<unknown> | null };

async function readBounded(response: Answer, maxBytes: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    const bytes = part as Uint8Array;
    length += bytes.length;
    if (length > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`);
    parts.push(bytes);
  }
  return Buffer.concat(parts);
}

// Failures of name look-up and connecting. A reset is none of them: the request may have been read before.
const BEFORE_SENDING = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'EADDRNOTAVAIL',
  'UND_ERR_CONNECT_TIMEOUT',
]);

function isBeforeSending(thrown: unknown): boolean {
  const code = codeOf(thrown);
  return code !== undefined && BEFORE_SENDING.has(code);
}

// OpenSSL's verify results and Node's TLS errors, all before a byte of the request leaves.
const TLS_CODE =
  /^(ERR_TLS_|ERR_SSL_|EPROTO$|CERT_|CRL_|SELF_SIGNED_|DEPTH_ZERO_|UNABLE_TO_|INVALID_CA$|INVALID_PURPOSE$|PATH_LENGTH_EXCEEDED$|HOSTNAME_MISMATCH$)/;

/** No second try mends a certificate. */
function isTlsFailure(thrown: unknown): boolean {
  return TLS_CODE.test(codeOf(thrown) ?? '');
}

function codeOf(thrown: unknown): string | undefined {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    // Happy eyeballs: every address was tried, the reasons are alike.
    const first = error instanceof AggregateError ? (error.errors[0] as unknown) : error;
    const { code } = first as { code?: unknown };
    if (typeof code === 'string') return code;
  }
  return undefined;
}

function reasonOf(thrown: unknown): string {
  let reason = String(thrown);
  for (let error = thrown; error instanceof Error; error = error.cause) {
    const first = error instanceof AggregateError ? (error.errors[0] as Error) : error;
    if (first.message) reason = first.message;
  }
  return reason;
}
