import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 5;
export const DEFAULT_WAIT_MS = 10_000;

/**
 * Waits until the condition holds.
 * @returns what it gave: anything but `undefined`, `null` and `false`
 * @throws Error naming what was waited for
 */
export async function waitFor<T>(
  what: string,
  condition: () => T | Promise<T>,
  timeoutMs = DEFAULT_WAIT_MS,
): Promise<Exclude<NonNullable<T>, false>> {
  const giveUpAt = performance.now() + timeoutMs;
  for (;;) {
    const result = await condition();
    if (result !== undefined && result !== null && result !== false) return result as Exclude<NonNullable<T>, false>;
    if (performance.now() > giveUpAt) throw new Error(`after ${timeoutMs} ms still waiting for ${what}`);
    await delay(POLL_MS);
  }
}
