import { sha256Hex, silentLogger, systemClock } from '@bbdistill/common';
import type { Clock, Logger } from '@bbdistill/common';
import { USE_STEP_MS } from '@bbdistill/teacher-proxy';
import type { AnswerCache, AnswerKey, CacheBound } from '@bbdistill/teacher-proxy';
import { expect, it } from 'vitest';
import { waitFor } from '../helpers/wait-for.js';

const VALUES = 250;
const ANSWERS = 100;
/** Room for about half of the answers. */
const MAX_BYTES = 60_000;

/** A cache and what lies in it; opening it again finds the same answers. */
export interface BoundedPlace extends AsyncDisposable {
  open(bound: CacheBound): Promise<AnswerCache>;
  /** What is really there, for those that come after. */
  kept(keys: readonly AnswerKey[]): Promise<boolean[]>;
}

const key = (name: string, n: number): AnswerKey => Buffer.from(sha256Hex(`${name} ${n}`), 'hex');
const keysOf = (name: string) => Array.from({ length: ANSWERS }, (_, n) => key(name, n));
const answersOf = (name: string) =>
  keysOf(name).map((each) => ({
    key: each,
    answer: { raw: new Float32Array(VALUES).fill(1), unit: name, callId: 'call' },
  }));
const later = (ms: number): Clock => ({ ...systemClock, nowMs: () => systemClock.nowMs() + ms });

/** By everybody's clock, after all that was put and before all that will be. */
async function now(): Promise<number> {
  const before = systemClock.nowMs();
  await waitFor('the next millisecond', () => systemClock.nowMs() > before + 2);
  const at = systemClock.nowMs();
  await waitFor('the next millisecond', () => systemClock.nowMs() > at + 2);
  return at;
}

/** What every bounded cache promises. */
export function boundedCacheContract(place: () => Promise<BoundedPlace>): void {
  const bound = (neededSinceMs: number | undefined, clock: Clock = systemClock, logger: Logger = silentLogger) => ({
    maxBytes: MAX_BYTES,
    neededSinceMs: async () => neededSinceMs,
    clock,
    logger,
  });
  const share = (kept: readonly boolean[]) => kept.filter(Boolean).length / kept.length;

  it('no open run - the answers that were put first go, until it fits', async () => {
    await using there = await place();
    const cache = await there.open(bound(undefined));
    for (const name of ['first', 'second', 'third']) {
      await cache.putMany(answersOf(name));
      await now();
    }
    await waitFor('an eviction', async () => share(await there.kept(keysOf('first'))) === 0);
    await cache.close();
    expect(share(await there.kept(keysOf('second')))).toBeLessThan(0.5);
    expect(share(await there.kept(keysOf('third')))).toBeGreaterThan(0.25);
  });

  it('an open run - loses nothing that was put since it began, and the warning names the setting once', async () => {
    await using there = await place();
    const warnings: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (_: unknown, text?: string) => void warnings.push(text ?? '') };
    const old = await there.open(bound(undefined));
    await old.putMany(answersOf('old').slice(0, 20));
    await old.close();
    const began = await now();
    const cache = await there.open(bound(began + USE_STEP_MS, systemClock, logger));
    await cache.putMany(answersOf('mine'));
    await waitFor('an eviction', async () => share((await there.kept(keysOf('old'))).slice(0, 20)) === 0);
    await waitFor('a warning', () => warnings.length > 0);
    await cache.putMany(answersOf('more'));
    await cache.close();
    expect(share(await there.kept([...keysOf('mine'), ...keysOf('more')]))).toBe(1);
    // Where there are two places, each says it once.
    expect(new Set(warnings).size).toBe(warnings.length);
    for (const text of warnings) expect(text).toContain('cacheMaxBytes (BBDISTILL_CACHE_MAX_BYTES)');
  });

  it('an open run - keeps what it read of older answers', async () => {
    await using there = await place();
    const earlier = await there.open(bound(undefined));
    await earlier.putMany(answersOf('old').slice(0, 40));
    await earlier.close();
    const began = await now();
    const cache = await there.open(bound(began + USE_STEP_MS, later(2 * USE_STEP_MS)));
    const read = await cache.getMany(keysOf('old').slice(0, 20));
    expect(read.every((answer) => answer !== undefined)).toBe(true);
    await cache.putMany(answersOf('mine').slice(0, 30));
    await cache.putMany(answersOf('mine').slice(30));
    await waitFor('an eviction', async () => share((await there.kept(keysOf('old'))).slice(20, 40)) === 0);
    await cache.close();
    expect(share((await there.kept(keysOf('old'))).slice(0, 20))).toBe(1);
    expect(share(await there.kept(keysOf('mine')))).toBe(1);
  });

  it('runs that can not be looked up - nothing is lost', async () => {
    await using there = await place();
    const warnings: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (_: unknown, text?: string) => void warnings.push(text ?? '') };
    const failing = {
      ...bound(undefined, systemClock, logger),
      neededSinceMs: () => Promise.reject(new Error('away')),
    };
    const cache = await there.open(failing);
    await cache.putMany(answersOf('mine'));
    await waitFor('a warning', () => warnings.length > 0);
    await cache.close();
    expect(share(await there.kept(keysOf('mine')))).toBe(1);
  });
}
