import type { Clock } from '@bbdistill/common';
import { shownText } from '../shown-text.js';
import { TEACHER_AUTH, TEACHER_TOO_LARGE } from '../teacher.js';
import type { QueryOutcome, ThrottleReason } from '../teacher.js';
import type { HttpReply } from './http.js';
import { durationMs, limitHints, longest, retryAfterOf } from './limit-headers.js';

const STATUS_REASON: Record<number, ThrottleReason> = { 429: 'rate', 503: 'overloaded', 529: 'overloaded' };
/** Gateways that had no answer, no whole one, or none in time: the teacher behind may have done the work. */
const OF_GATEWAYS = new Set([502, 504, 520, 524]);
/**
 * Gateways that got no connection to the teacher: refused, timed out, no way there, or none that TLS let stand. 522 also
 * covers a teacher whose machine acknowledged not a byte of the request for 90 s, which is as good as not there.
 */
const WITHOUT_CONNECTION = new Set([521, 522, 523, 525, 526]);
/** Statuses under which vendors also hide "slow down"; the code in the answer tells. */
const MAY_HIDE_THROTTLING = new Set([400, 403, 429, 500, 503]);
const RATE_CODE =
  /Throttl|ProvisionedThroughputExceeded|RequestLimitExceeded|TooManyRequests|SlowDown|RateLimitExceeded|RESOURCE_EXHAUSTED/i;
const QUOTA_CODE = /LimitExceededException|ServiceQuotaExceeded|quotaExceeded|dailyLimitExceeded|insufficient_quota/i;

type Failure = Exclude<QueryOutcome, { kind: 'answered' }>;

/** What the status of a gateway says of the teacher behind it; undefined where it isn't one of a gateway's own. */
export function gatewayFailure(status: number): 'lost' | 'unreachable' | undefined {
  if (OF_GATEWAYS.has(status)) return 'lost';
  return WITHOUT_CONNECTION.has(status) ? 'unreachable' : undefined;
}

/** Envoy's words for a teacher that it had sent the call to, whatever status it gives them. */
const BROKE_BEHIND_GATEWAY =
  /upstream request timeout|stream timeout|max stream duration|reset reason: (local reset|remote reset|connection termination|protocol error)/i;

/** Whether a gateway says that a call broke off on its side, where the teacher may have done the work. */
export function brokeBehindGateway(text: string): boolean {
  return BROKE_BEHIND_GATEWAY.test(text);
}

/** A request of more bytes or images than the teacher takes. */
export function tooLarge(message: string): Failure {
  return { kind: 'refused', code: TEACHER_TOO_LARGE, message: `${message} (lower limits.imagesPerCall)` };
}

/** What an HTTP status that isn't 200 says about the bill and about waiting; undefined for 2xx. */
export function failureOf(reply: HttpReply, clock: Clock): Failure | undefined {
  const { status } = reply;
  if (status >= 200 && status < 300) return undefined;
  const message = describeStatus(reply);
  const said = readBody(reply);
  const nowMs = clock.nowMs();
  const retryAfterMs = longest([retryAfterOf(reply.headers, nowMs), said.retryAfterMs]);
  const wait = { limits: limitHints(reply.headers, nowMs), ...(retryAfterMs !== undefined && { retryAfterMs }) };
  if (status >= 500 && brokeBehindGateway(reply.text())) return { kind: 'lost', message };
  const reason = throttleReason(status, said);
  if (reason) return { kind: 'throttled', reason, message, ...wait };
  const ofGateway = gatewayFailure(status);
  if (ofGateway) return { kind: ofGateway, message };
  if (status >= 500 || status === 408) return { kind: 'failed', message, ...wait };
  if (status === 401 || status === 403) {
    const hint = 'renew the secret that auth names, or its rights, then resume: nothing was charged and all is kept';
    return { kind: 'refused', code: TEACHER_AUTH, message: `${message} (${hint})` };
  }
  if (status === 413) return tooLarge(message);
  if (status >= 300 && status < 400) {
    const to = reply.headers.get('location') ?? 'nowhere';
    return {
      kind: 'refused',
      code: `HTTP_${status}`,
      message: `it redirects to ${to}, which is not followed: set url`,
    };
  }
  return { kind: 'refused', code: `HTTP_${status}`, message };
}

export function describeStatus(reply: HttpReply): string {
  return `it answers HTTP ${reply.status}: ${shownText(reply.text())}`;
}

/** Whether the text of an error inside an answer says "slow down". */
export function isThrottling(text: string): boolean {
  return RATE_CODE.test(text) || /too many requests/i.test(text);
}

interface Said {
  /** All that may be a vendor's code, as one text. */
  codes: string;
  retryAfterMs?: number;
  loading: boolean;
}

function throttleReason(status: number, said: Said): ThrottleReason | undefined {
  if (status === 503 && said.loading) return 'loading';
  if (MAY_HIDE_THROTTLING.has(status)) {
    if (QUOTA_CODE.test(said.codes)) return 'quota';
    if (RATE_CODE.test(said.codes)) return 'rate';
  }
  return STATUS_REASON[status];
}

/** Codes and waits in the places where the vendors put them. */
function readBody(reply: HttpReply): Said {
  const codes = [reply.headers.get('x-amzn-errortype') ?? ''];
  const waits: (number | undefined)[] = [];
  let loading = false;
  const body = parsed(reply);
  for (const part of [body, body.error, ...list(body.errors), ...list(record(body.error).errors)]) {
    const { __type, code, status, reason, type, estimated_time: estimatedSeconds, details } = record(part);
    codes.push(...[__type, code, status, reason, type].filter((each) => typeof each === 'string'));
    if (typeof estimatedSeconds === 'number' && Number.isFinite(estimatedSeconds)) {
      loading = true;
      waits.push(durationMs(`${Math.max(0, estimatedSeconds).toFixed(3)}s`));
    }
    for (const detail of list(details)) {
      const { retryDelay } = record(detail);
      if (typeof retryDelay === 'string') waits.push(durationMs(retryDelay));
    }
  }
  const retryAfterMs = longest(waits);
  return { codes: codes.join(' '), loading, ...(retryAfterMs !== undefined && { retryAfterMs }) };
}

function parsed(reply: HttpReply): Record<string, unknown> {
  try {
    return record(reply.json());
  } catch {
    return {};
  }
}

function record(value: unknown): Record<string, unknown> {
  return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {};
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : [];
}
