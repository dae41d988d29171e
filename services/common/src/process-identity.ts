import { readFileSync } from 'node:fs';

const BOOT_ID_FILE = '/proc/sys/kernel/random/boot_id';

/** Tells a process of this machine from all others since it was started. */
export interface ProcessIdentity {
  pid: number;
  /** In clock ticks since the machine's start; absent where the system doesn't tell. */
  startTime?: string;
}

export function thisProcess(): ProcessIdentity {
  return { pid: process.pid, ...startTimeOf(process.pid) };
}

/** Whether a process that was started since the machine was is still there. */
export function isRunning({ pid, startTime }: ProcessIdentity): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return startTimeOf(pid).startTime === startTime;
}

/** Process ids are used again; the start time tells the next owner from the last. */
function startTimeOf(pid: number): { startTime?: string } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command's name, in parentheses, may hold spaces; the start time is the 20th field after it.
    const [state, ...fields] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z') return { startTime: 'ended' };
    return { startTime: fields[18]! };
  } catch {
    return {};
  }
}

/** Names this start of the machine; undefined where the system doesn't tell. */
export function bootId(): string | undefined {
  try {
    return readFileSync(BOOT_ID_FILE, 'utf8').trim() || undefined;
  } catch {
    return undefined;
  }
}
