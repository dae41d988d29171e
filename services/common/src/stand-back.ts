import { writeFileSync } from 'node:fs';
import { constants, getPriority, setPriority } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';

/** A task takes all of a core for as long as it lasts: health checks and callers, who want little, go before it. */
export const TASK_NICENESS = constants.priority.PRIORITY_BELOW_NORMAL;

/** Without privileges, Linux takes one such change of any process in a tenth of a second. */
const AGAIN_MS = 130;
const TRIES = 20;

/**
 * Lets a process that leads a session of its own (one that was started `detached`) stand back for others where cores
 * are short: one that computes for minutes, beside those whose callers wait. A system that doesn't let it shares evenly.
 * @param pid of a process that has just begun: threads that it starts from now on stand back as well
 * @param niceness beyond this process's own, 0 to 19
 */
export async function standBack(pid: number, niceness: number): Promise<void> {
  let wanted: number;
  try {
    wanted = lowerBy(niceness);
    setPriority(pid, wanted);
  } catch {
    return;
  }
  if (process.platform !== 'linux') return;
  for (let attempt = 0; attempt < TRIES; attempt++) {
    try {
      // Where sessions share the cores evenly (`autogroup` in sched(7)), a priority counts within its session only.
      writeFileSync(`/proc/${pid}/autogroup`, String(wanted));
      return;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
    }
    await delay(AGAIN_MS, undefined, { ref: false });
  }
}

/** Lets this thread stand back for the others of its process. To be called on Linux only: elsewhere all of them would. */
export function standBackHere(niceness: number): void {
  try {
    setPriority(lowerBy(niceness));
  } catch {
    // It shares evenly.
  }
}

function lowerBy(niceness: number): number {
  return Math.min(getPriority() + niceness, constants.priority.PRIORITY_LOW);
}
