import type { Clock, JobContext } from '@bbdistill/common';

/** So long nothing comes before it is said why. */
export const STANDSTILL_MS = 5_000;
const LOOK_INTERVAL_MS = 2_000;

export interface StandstillOptions {
  clock: Clock;
  context: Pick<JobContext, 'progress'>;
  /** Of the whole work. */
  images: number;
  /** What the calls wait for; empty where nothing is known. */
  reason: () => Promise<string>;
}

/** Does work whose progress is shown, with the reason where none comes: a dead teacher is waited for in silence otherwise. */
export async function showStandstills<T>(
  { clock, context, images, reason }: StandstillOptions,
  work: (onProgress: (done: number, total: number) => void) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  let latest = { unit: 'images', done: 0, total: images };
  let movedAtMs = clock.monotonicMs();
  const watch = async () => {
    for (;;) {
      await clock.sleep(LOOK_INTERVAL_MS, over.signal);
      if (clock.monotonicMs() - movedAtMs < STANDSTILL_MS) continue;
      const seen = latest;
      const waitsFor = await reason().catch(() => '');
      if (seen === latest && !over.signal.aborted)
        context.progress({ ...latest, ...(waitsFor !== '' && { waitsFor }) });
    }
  };
  // For show: the work goes on without it.
  void watch().catch(() => undefined);
  try {
    return await work((done, total) => {
      latest = { unit: 'images', done, total };
      movedAtMs = clock.monotonicMs();
      context.progress(latest);
    });
  } finally {
    over.abort();
  }
}
