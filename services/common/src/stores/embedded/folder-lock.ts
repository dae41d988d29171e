import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { RootDatabase } from 'lmdb';
import { ConfigError } from '../../errors.js';

interface Holder {
  pid: number;
  /** In clock ticks since the machine's start; absent where the system doesn't tell. */
  startTime?: string;
  token: string;
}

const HOLDER_KEY = 'holder';

/** Tokens of the locks that this process holds. */
const heldHere = new Set<string>();

/**
 * Makes this process the only one that uses a state folder. lmdb's write lock, which the system frees when a process
 * dies, makes looking and taking one step; a holder that was killed is known by its process id and start time.
 * @returns the release
 * @throws ConfigError naming folder and process id
 */
export function lockFolder(root: RootDatabase, folder: string): () => void {
  const database = root.openDB<Holder, string>({ name: 'lock', encoding: 'json' });
  const mine: Holder = { pid: process.pid, token: randomUUID(), ...startTimeOf(process.pid) };
  const holder = root.transactionSync(() => {
    const found = database.get(HOLDER_KEY);
    if (found && isAlive(found)) return found;
    database.putSync(HOLDER_KEY, mine);
    return mine;
  });
  if (holder !== mine) {
    throw new ConfigError(
      `the state folder ${folder} is in use by process ${holder.pid}: stop that one, or choose another folder`,
      { code: 'STATE_FOLDER_LOCKED' },
    );
  }
  heldHere.add(mine.token);
  return () => {
    heldHere.delete(mine.token);
    root.transactionSync(() => {
      if (database.get(HOLDER_KEY)?.token === mine.token) database.removeSync(HOLDER_KEY);
    });
  };
}

function isAlive(holder: Holder): boolean {
  if (holder.pid === process.pid) return heldHere.has(holder.token);
  try {
    process.kill(holder.pid, 0);
  } catch (error) {
    // EPERM: it lives and belongs to somebody else.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  return startTimeOf(holder.pid).startTime === holder.startTime;
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
