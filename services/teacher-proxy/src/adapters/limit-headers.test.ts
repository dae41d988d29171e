import { describe, expect, it } from 'vitest';
import { MAX_RETRY_AFTER_MS, durationMs, limitHints, retryAfter, retryAfterOf } from './limit-headers.js';

const NOW_MS = Date.UTC(2026, 10, 25, 12);

describe('limit headers - how long to wait', () => {
  it.each([
    ['seconds', '3', 3000],
    ['a part of a second', '0.5', 500],
    ['a date', 'Wed, 25 Nov 2026 12:00:30 GMT', 30_000],
    ['a date that is over', 'Wed, 25 Nov 2026 11:00:00 GMT', 0],
    ['a negative number', '-5', 0],
    ['more than a day', '1e12', MAX_RETRY_AFTER_MS],
    ['nonsense', 'soon', undefined],
    ['nothing', '', undefined],
    ['no header', null, undefined],
  ])('retry-after - %s', (_, header, expected) => {
    expect(retryAfter(header, NOW_MS)).toBe(expected);
  });

  it('retry-after - the longest of all ways to say it counts', () => {
    const headers = new Headers({ 'retry-after': '1', 'retry-after-ms': '2500', 'x-ms-retry-after-ms': '900' });
    expect(retryAfterOf(headers, NOW_MS)).toBe(2500);
    expect(retryAfterOf(new Headers(), NOW_MS)).toBeUndefined();
  });

  it.each([
    ['250ms', 250],
    ['1.5s', 1500],
    ['6m0s', 360_000],
    ['1h2m', 3_720_000],
    ['5 parsecs', undefined],
    ['', undefined],
  ])('duration - %s', (text, expected) => {
    expect(durationMs(text)).toBe(expected);
  });
});

describe('limit headers - what is left', () => {
  it.each<[string, Record<string, string>, object[]]>([
    [
      'RateLimit and its policy, several windows',
      {
        'ratelimit-policy': '"burst";q=100;w=60, "day, all";q=1000;w=86400;qu="content-bytes"',
        ratelimit: '"burst";r=0;t=30',
      },
      [
        { source: 'RateLimit "burst"', unit: 'calls', limit: 100, windowMs: 60_000, remaining: 0, resetMs: 30_000 },
        { source: 'RateLimit "day, all"', unit: 'bytes', limit: 1000, windowMs: 86_400_000 },
      ],
    ],
    [
      'the older draft',
      { 'ratelimit-policy': '100;w=60', ratelimit: 'limit=100, remaining=7, reset=9' },
      [{ source: 'RateLimit', unit: 'calls', limit: 100, windowMs: 60_000, remaining: 7, resetMs: 9000 }],
    ],
    [
      'X-RateLimit with a Unix time',
      {
        'x-ratelimit-limit': '60',
        'x-ratelimit-remaining': '59',
        'x-ratelimit-reset': String(NOW_MS / 1000 + 12),
      },
      [{ source: 'X-RateLimit', unit: 'calls', limit: 60, remaining: 59, resetMs: 12_000 }],
    ],
    [
      'X-RateLimit with milliseconds of a Unix time, and Reset-After',
      { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset-after': '2.5' },
      [{ source: 'X-RateLimit', unit: 'calls', remaining: 0, resetMs: 2500 }],
    ],
    [
      'families by unit and by window',
      {
        'x-ratelimit-limit-requests': '10',
        'x-ratelimit-reset-requests': '6m0s',
        'x-ratelimit-remaining-images': '3',
        'x-ratelimit-limit-minute': '30',
        'x-ratelimit-remaining-tokens': '5',
      },
      [
        { source: 'X-RateLimit minute', unit: 'calls', windowMs: 60_000, limit: 30 },
        { source: 'X-RateLimit requests', unit: 'calls', limit: 10, resetMs: 360_000 },
        { source: 'X-RateLimit images', unit: 'images', remaining: 3 },
        { source: 'X-RateLimit tokens', unit: 'unknown', remaining: 5 },
      ],
    ],
    ['nonsense', { 'x-ratelimit-limit': 'many', ratelimit: ';;,"' }, []],
  ])('%s', (_, headers, expected) => {
    const found = limitHints(new Headers(headers), NOW_MS);
    const readable = found.filter((hint) => Object.keys(hint).length > 2);
    expect(readable).toEqual(expect.arrayContaining(expected));
    expect(readable).toHaveLength(expected.length);
  });
});
