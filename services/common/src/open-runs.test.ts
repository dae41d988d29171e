import { expect, it } from 'vitest';
import { MemoryState } from '../../../test/helpers/memory-state.js';
import { encodeJson } from './json.js';
import { RESUMABLE_FOR_MS, oldestOpenRunMs } from './open-runs.js';
import type { RunSpan } from './open-runs.js';

const NOW_MS = 2 * RESUMABLE_FOR_MS;

async function oldestOf(...runs: RunSpan[]): Promise<number | undefined> {
  const state = new MemoryState();
  for (const [n, run] of runs.entries()) await state.create(`runs/${n}`, encodeJson(run));
  return oldestOpenRunMs(state, NOW_MS);
}

it('open runs - those under way, and those that may be resumed, but none that succeeded or was left long ago', async () => {
  const ended = { createdAtMs: 10, endedAtMs: NOW_MS - 1000 };
  expect(await oldestOf()).toBeUndefined();
  expect(await oldestOf({ state: 'running', createdAtMs: 30 }, { state: 'pending', createdAtMs: 20 })).toBe(20);
  expect(await oldestOf({ ...ended, state: 'budget-exhausted' }, { state: 'running', createdAtMs: 20 })).toBe(10);
  expect(await oldestOf({ ...ended, state: 'succeeded' })).toBeUndefined();
  expect(
    await oldestOf({ state: 'failed', createdAtMs: 10, endedAtMs: NOW_MS - RESUMABLE_FOR_MS - 1 }),
  ).toBeUndefined();
});
