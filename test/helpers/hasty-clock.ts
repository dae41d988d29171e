import { CancelledError } from '@bbdistill/common';
import type { Clock } from '@bbdistill/common';

/**
 * A clock on which short sleeps take no time and long ones (timeouts) never end by themselves. For tests of retries,
 * where the order of things counts and not their duration.
 */
export function hastyClock(longMs = 30_000): Clock & { readonly slept: number[] } {
  let elapsedMs = 0;
  const slept: number[] = [];
  return {
    slept,
    nowMs: () => 1_700_000_000_000 + elapsedMs,
    monotonicMs: () => elapsedMs,
    async sleep(durationMs, signal) {
      if (signal?.aborted) throw new CancelledError();
      if (durationMs < longMs) {
        slept.push(durationMs);
        elapsedMs += durationMs;
        await new Promise((resolve) => setImmediate(resolve));
        return;
      }
      await new Promise((_, reject) => signal?.addEventListener('abort', () => reject(new CancelledError())));
    },
  };
}
