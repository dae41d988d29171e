import { ManualClock } from '@bbdistill/common';
import { describe, expect, it } from 'vitest';
import { failureOf } from './http-failures.js';
import { HttpReply } from './http.js';

const clock = new ManualClock();
const failure = (status: number, body: unknown = '', headers: Record<string, string> = {}) =>
  failureOf(
    new HttpReply(status, new Headers(headers), Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))),
    clock,
  );

describe('http failures', () => {
  it.each<[string, number, unknown, Record<string, string>, object]>([
    ['429 with seconds', 429, '', { 'retry-after': '7' }, { kind: 'throttled', reason: 'rate', retryAfterMs: 7000 }],
    ['503', 503, '', {}, { kind: 'throttled', reason: 'overloaded' }],
    [
      '503 while loading, with an estimated time in seconds',
      503,
      { error: 'Model m is currently loading', estimated_time: 20.5 },
      {},
      { kind: 'throttled', reason: 'loading', retryAfterMs: 20_500 },
    ],
    [
      '400 with a throttling type',
      400,
      { __type: 'com.amazon.coral#ProvisionedThroughputExceededException', message: 'slow' },
      {},
      { kind: 'throttled', reason: 'rate' },
    ],
    [
      '400 with a throttling header',
      400,
      '{}',
      { 'x-amzn-errortype': 'ThrottlingException:' },
      { kind: 'throttled', reason: 'rate' },
    ],
    ['400 with a quota', 400, { __type: 'LimitExceededException' }, {}, { kind: 'throttled', reason: 'quota' }],
    [
      '403 with a rate limit of the older kind',
      403,
      { error: { code: 403, errors: [{ reason: 'userRateLimitExceeded' }] } },
      {},
      { kind: 'throttled', reason: 'rate' },
    ],
    [
      '429 with RetryInfo in JSON',
      429,
      { error: { status: 'RESOURCE_EXHAUSTED', details: [{ '@type': 'x/google.rpc.RetryInfo', retryDelay: '1.5s' }] } },
      { 'retry-after': '1' },
      { kind: 'throttled', reason: 'rate', retryAfterMs: 1500 },
    ],
    ['529', 529, '', {}, { kind: 'throttled', reason: 'overloaded' }],
    ['401', 401, 'expired', {}, { kind: 'refused', code: 'TEACHER_AUTH' }],
    ['403', 403, '', {}, { kind: 'refused', code: 'TEACHER_AUTH' }],
    ['413', 413, '', {}, { kind: 'refused', code: 'TEACHER_TOO_LARGE' }],
    ['400', 400, '{"error":"bad shape"}', {}, { kind: 'refused', code: 'HTTP_400' }],
    ['302', 302, '', { location: 'http://elsewhere/' }, { kind: 'refused', code: 'HTTP_302' }],
    ['500', 500, '', {}, { kind: 'failed' }],
    ['408', 408, '', {}, { kind: 'failed' }],
    ['502', 502, '', {}, { kind: 'lost' }],
    ['504', 504, '', {}, { kind: 'lost' }],
    ['520: the origin answered nonsense', 520, '', {}, { kind: 'lost' }],
    ['524: the origin took too long', 524, '', {}, { kind: 'lost' }],
    ['521: the origin takes no connection', 521, '', {}, { kind: 'unreachable' }],
    ['522: no connection to the origin in time', 522, '', {}, { kind: 'unreachable' }],
    ['523: no way to the origin', 523, '', {}, { kind: 'unreachable' }],
    [
      '503 of a gateway that lost the teacher under the call',
      503,
      'upstream connect error or disconnect/reset before headers. reset reason: connection termination',
      {},
      { kind: 'lost' },
    ],
    [
      '503 of a gateway that never reached the teacher',
      503,
      'upstream connect error or disconnect/reset before headers. reset reason: connection failure',
      {},
      { kind: 'throttled', reason: 'overloaded' },
    ],
    ['a body of another form', 429, '[1,2,{"a":null}]', {}, { kind: 'throttled', reason: 'rate' }],
    ['an estimate that is no number', 503, { estimated_time: 'long' }, {}, { kind: 'throttled', reason: 'overloaded' }],
  ])('%s', (_, status, body, headers, expected) => {
    expect(failure(status, body, headers)).toMatchObject(expected);
  });

  it('2xx is no failure', () => {
    expect(failure(200)).toBeUndefined();
  });

  it('says of limits what the headers say', () => {
    expect(failure(429, '', { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '4' })).toMatchObject({
      limits: [{ remaining: 0, resetMs: 4000 }],
    });
  });
});
